"""From the outbound topics into the queue. Where to go on reading stands in the warehouse, in the transaction that queues."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from connectors.outbound.webhooks import messages
from connectors.outbound.webhooks.messages import Event, Horizon, Queueing, Ticket, Unreadable, queueing
from connectors.outbound.webhooks.metrics import Metrics
from connectors.outbound.webhooks.order import news
from connectors.outbound.webhooks.queue import Queue
from connectors.outbound.webhooks.subscriptions import Subscription
from connectors.outbound.webhooks.sweep import KEPT

MOST_RECORDS = 500
LARGEST_BYTES = 16_000_000
GATHER_MILLISECONDS, GATHER_BYTES = 100, 262_144  # the broker answers after the first of them: a record waits half of it
CLOCKS_APART = timedelta(minutes=5)  # of Kafka and the warehouse, at most
TOPIC_PATIENCE_SECONDS = 1.0

log = logging.getLogger("cx.webhooks")


class Reader:
    """Reads the topics of the subscriptions and queues what they mean.

    Args:
        topics: the topic of each projection by its short name.
        queued: called with the names of subscriptions that have something new, and the tickets that were deleted.
    """

    def __init__(
        self,
        queue: Queue,
        subscriptions: Sequence[Subscription],
        topics: Mapping[str, str],
        *,
        horizon: Horizon,
        metrics: Metrics,
        queued: Callable[[set[str], set[Ticket]], None],
        reached: Callable[[str], None],
    ) -> None:
        self._queue, self._horizon = queue, horizon
        self._metrics, self._queued, self._reached = metrics, queued, reached
        self._positions: dict[tuple[str, int], int] = {}
        self._by_topic: dict[str, list[Subscription]] = {}
        for one in subscriptions:
            self._by_topic.setdefault(topics[one.projection], []).append(one)

    async def run(self, kafka: Mapping[str, Any]) -> None:
        """Read until cancelled; `kafka` are the options that every client of aiokafka takes. Raises KafkaError, psycopg.Error."""
        consumer = AIOKafkaConsumer(
            **kafka,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=LARGEST_BYTES,
            fetch_max_bytes=2 * LARGEST_BYTES,
            fetch_max_wait_ms=GATHER_MILLISECONDS,
            fetch_min_bytes=GATHER_BYTES,
        )
        await consumer.start()
        try:
            await self._take_up(consumer, kafka)
            while True:
                fetched = await consumer.getmany(timeout_ms=500, max_records=MOST_RECORDS)
                if fetched:
                    await self._take(fetched)
                self._report_lag(consumer)
        finally:
            with suppress(Exception):
                await consumer.stop()

    async def _take_up(self, consumer: AIOKafkaConsumer, kafka: Mapping[str, Any]) -> None:
        """Go on where the warehouse says; a topic that was never read begins where its subscriptions became known.

        Not at its end: what landed after a subscription was known may be in the topic before this reads it.
        """
        found = await _partitions(kafka, self._by_topic)
        consumer.assign(found)
        ends = await consumer.end_offsets(found)
        since = int((min(self._horizon.known_since.values()) - CLOCKS_APART).timestamp() * 1000)
        later = await consumer.offsets_for_times(dict.fromkeys(found, since))
        first = {place: at.offset if (at := later.get(place)) else ends[place] for place in found}
        async with self._queue.turn:
            known = {topic: await self._queue.positions(topic) for topic in self._by_topic}
            starts = {place: _start(known[place.topic], place, first[place]) for place in found}
            async with self._queue.connection.transaction():
                await self._queue.put({(place.topic, place.partition): start for place, start in starts.items()}, [])
        for place, start in starts.items():
            consumer.seek(place, start)

    async def _take(self, fetched: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> None:
        """Queue what was fetched and move on, in one transaction."""
        positions = {(place.topic, place.partition): records[-1].offset + 1 for place, records in fetched.items()}
        by_topic: dict[str, list[ConsumerRecord]] = {}
        for place, records in fetched.items():
            by_topic.setdefault(place.topic, []).extend(records)
        async with self._queue.turn:
            found = {topic: await self._news(topic, records) for topic, records in by_topic.items()}
            changes = [await self._meaning(topic, events) for topic, (events, _) in found.items()]
            async with self._queue.connection.transaction():
                await self._queue.put(positions, changes)
                for topic, (_, heard) in found.items():
                    await self._queue.hear(topic, heard)
                self._reached("before_queue_commit")
        self._reached("after_queue_commit")
        self._positions.update(positions)
        steps = [step for change in changes for step in change.steps]
        named = {step.subscription for step in steps if isinstance(step, messages.Message)}
        self._queued(named, {step for step in steps if not isinstance(step, messages.Message)})

    async def _news(self, topic: str, records: Sequence[ConsumerRecord]) -> tuple[list[Event], dict[Ticket, str]]:
        """Readable records that are newer than what was heard of their tickets, and what is heard with them."""
        events = [event for event in map(self._event, records) if event is not None]
        newer, heard = news(events, await self._queue.heard(topic, (event.ticket for event in events)))
        self._metrics.old(len(events) - len(newer))
        return newer, heard

    async def _meaning(self, topic: str, events: Sequence[Event]) -> Queueing:
        """What events of a topic mean; those of a ticket are in their order."""
        subscriptions = self._by_topic[topic]
        filtering = [one.name for one in subscriptions if one.filter is not None]
        told = await self._queue.told(filtering, (event.ticket for event in events)) if filtering else frozenset()
        return queueing(events, subscriptions, told, self._horizon)

    def _event(self, record: ConsumerRecord) -> Event | None:
        try:
            at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
            return messages.read(record.key, record.value, record.headers, at)
        except Unreadable as error:
            self._metrics.unreadable()
            log.error("%s[%d]@%d: %s; it is passed over", record.topic, record.partition, record.offset, error)
            return None

    def _report_lag(self, consumer: AIOKafkaConsumer) -> None:
        for topic in self._by_topic:
            places = [place for place in self._positions if place[0] == topic]
            ends = {place: consumer.highwater(TopicPartition(*place)) or 0 for place in places}
            self._metrics.lag(topic, sum(max(0, ends[place] - self._positions[place]) for place in places))


def remembered_since(now: datetime) -> datetime:
    """Fillings of older changes are not told: the queue has forgotten whether it told them."""
    return now - KEPT / 2


async def _partitions(kafka: Mapping[str, Any], topics: Iterable[str]) -> list[TopicPartition]:
    """The topics' partitions, waiting for topics to be made."""
    admin, said = AIOKafkaAdminClient(**kafka), False
    await admin.start()
    try:
        while missing := set(topics) - set(await admin.list_topics()):
            if not said:
                log.warning("waiting for %s to be made", ", ".join(sorted(missing)))
                said = True
            await asyncio.sleep(TOPIC_PATIENCE_SECONDS)
        described = await admin.describe_topics(list(topics))
    finally:
        await admin.close()
    return [TopicPartition(one["topic"], part["partition"]) for one in described for part in one["partitions"]]


def _start(known: Mapping[int, int], place: TopicPartition, first: int) -> int:
    if not known:
        return first
    return known.get(place.partition, 0)
