"""The topics, made explicitly: partition counts are part of the contract, because a ticket's order lives in one partition."""

import asyncio
import sys
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError

from ops.stack.kafka import LARGEST_RECORD_BYTES
from stream.kafka import KafkaAccess, KafkaUnreachable, administering

DAY_MS = 24 * 60 * 60 * 1000


class TopicError(Exception):
    """A topic cannot be made, or exists with another number of partitions; the message names it."""


@dataclass(frozen=True)
class Topic:
    """A topic that is deleted by age, so that every version of a ticket counts; or compacted: the newest of each ticket stays.

    A compacted topic forgets what was replaced or deleted, and the mark that it was deleted, after `retention_days`.
    """

    name: str
    partitions: int
    retention_days: int
    is_compacted: bool = False

    def configuration(self) -> dict[str, str]:
        age = str(self.retention_days * DAY_MS)
        kept = {"cleanup.policy": "delete", "retention.ms": age}
        compacted = {
            "cleanup.policy": "compact",
            "delete.retention.ms": age,
            "max.compaction.lag.ms": age,
            "segment.ms": str(DAY_MS),  # the segment being written is never compacted
        }
        return {**(compacted if self.is_compacted else kept), "max.message.bytes": str(LARGEST_RECORD_BYTES)}


TOPICS = (
    # 12 divides evenly among 1, 2, 3, 4, 6 or 12 workers. 7 days outlast the longest outage that is caught up by replay.
    Topic("cx.enrichment.ticket_signals", partitions=12, retention_days=7),
    # Small and edited by people: one partition keeps the edits of all rows in order.
    Topic("cx.enrichment.tag_taxonomy", partitions=1, retention_days=7),
    Topic("cx.enrichment.accounts", partitions=1, retention_days=7),
    # People look at dead letters after a weekend or a holiday.
    Topic("cx.dead_letters", partitions=1, retention_days=30),
    Topic("__debezium-heartbeat.cx", partitions=1, retention_days=1),
    # Debezium writes its own signals and the watermarks of incremental snapshots here; without it the connector stalls.
    Topic("cx.enrichment.cdc_signal", partitions=1, retention_days=1),
    # The outbound topics: as many partitions each, so that a ticket is in the same one on all three.
    Topic("cx.signals.v1", partitions=12, retention_days=7, is_compacted=True),
    Topic("cx.signals.crm.v1", partitions=12, retention_days=7, is_compacted=True),
    Topic("cx.signals.ops.v1", partitions=12, retention_days=7, is_compacted=True),
)
OUTBOUND = ("cx.signals.v1", "cx.signals.crm.v1", "cx.signals.ops.v1")

# What the worker reads: the tables of the contract, not Debezium's own topics.
CAPTURED = ("cx.enrichment.ticket_signals", "cx.enrichment.tag_taxonomy", "cx.enrichment.accounts")


def ensure(kafka: KafkaAccess, topics: tuple[Topic, ...] = TOPICS, replication: int = 1) -> None:
    """Make the topics that are missing. Raises TopicError when one exists with another number of partitions."""
    try:
        asyncio.run(_ensure(kafka, topics, replication))
    except KafkaUnreachable as error:
        raise TopicError(str(error)) from error


async def _ensure(kafka: KafkaAccess, topics: tuple[Topic, ...], replication: int) -> None:
    async with administering(kafka, request_timeout_ms=20_000) as admin:
        existing = set(await admin.list_topics())
        missing = [topic for topic in topics if topic.name not in existing]
        if missing:
            _check_created(await admin.create_topics([_new(topic, replication) for topic in missing]))
        await _check_partitions(admin, [topic for topic in topics if topic.name in existing])


def _new(topic: Topic, replication: int) -> NewTopic:
    return NewTopic(topic.name, topic.partitions, replication, topic_configs=topic.configuration())


def _check_created(answer: object) -> None:
    for name, code, *reason in answer.topic_errors:  # type: ignore[attr-defined]
        if code not in (0, TopicAlreadyExistsError.errno):
            raise TopicError(f"topic {name} cannot be made: {' '.join(map(str, reason))} (code {code})")


async def _check_partitions(admin: AIOKafkaAdminClient, topics: list[Topic]) -> None:
    described = await admin.describe_topics([topic.name for topic in topics]) if topics else []
    found = {entry["topic"]: len(entry["partitions"]) for entry in described}
    for topic in topics:
        if found[topic.name] != topic.partitions:
            raise TopicError(f"topic {topic.name} has {found[topic.name]} partitions, {topic.partitions} are agreed")


if __name__ == "__main__":
    try:
        ensure(KafkaAccess(sys.argv[1]))
    except (IndexError, TopicError) as error:
        sys.exit(f"usage: python -m ops.stack.topics HOST:PORT ({error})")
