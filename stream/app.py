"""The Faust app: reads the captured tables' topics, hands each fetch to the pipeline, and only then lets offsets move."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import faust
from faust.types import TP

from stream.batch_consumer import BatchConsumer, BatchTransport
from stream.core.records import Record
from stream.kafka import KafkaAccess


class Pipeline(Protocol):
    """What the app needs: land these records, durably, before returning."""

    def land(self, records: Sequence[Record]) -> Awaitable[None]: ...


@dataclass(frozen=True)
class AppSettings:
    """Where the app reads and how much at a time."""

    kafka: KafkaAccess
    group: str
    topics: tuple[str, ...]
    data_directory: str
    instance: str | None = None  # static membership: the name under which a restarted worker gets its partitions back
    max_records: int = 5_000  # per fetch, and so per transaction
    max_fetch_bytes: int = 4_000_000  # per partition; a single larger record still comes through
    heartbeat_seconds: float = 2.5  # how soon a member hears of a rebalance
    commit_interval_seconds: float = 0.5

    @property
    def session_timeout_seconds(self) -> float:
        """How long a silent member keeps its partitions: time to restart for a named one, any other is given up sooner."""
        return 30.0 if self.instance else 10.0


class StreamApp(faust.App):  # type: ignore[misc]  # faust has no types
    """A Faust app that reads by whole fetches. `busy` is held while a batch is landed and reported."""

    busy: asyncio.Lock

    def _new_transport(self) -> Any:
        return BatchTransport(self.conf.broker_consumer, self)


def create_app(settings: AppSettings, pipeline: Pipeline, on_failure: Callable[[BaseException], None]) -> StreamApp:
    """Build the app; nothing runs until it is started.

    `on_failure` is told what made landing impossible; from then on nothing more is read and no offset moves.
    """
    app = StreamApp(
        settings.group,
        broker=[f"kafka://{address}" for address in settings.kafka.bootstrap.split(",")],
        broker_credentials=credentials(settings.kafka),
        datadir=settings.data_directory,
        autodiscover=False,
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        processing_guarantee="at_least_once",
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.instance,
        consumer_max_fetch_size=settings.max_fetch_bytes,
        broker_max_poll_records=settings.max_records,
        broker_session_timeout=settings.session_timeout_seconds,
        broker_heartbeat_interval=settings.heartbeat_seconds,
        broker_commit_interval=settings.commit_interval_seconds,
        broker_commit_every=None,
        stream_buffer_maxsize=2,  # fetches waiting while one is landed: bounded memory, and backpressure
        stream_wait_empty=True,  # a rebalance waits for the batch in flight
        value_serializer="raw",
        key_serializer="raw",
    )
    app.busy = asyncio.Lock()
    topic = app.topic(*settings.topics, value_serializer="raw", key_serializer="raw", internal=False)

    @app.agent(topic, name="land", concurrency=1)  # type: ignore[untyped-decorator]
    async def land(stream: Any) -> None:
        async for event in stream.noack().events():
            async with app.busy:
                await _land(app, pipeline, event, on_failure)

    return app


def credentials(kafka: KafkaAccess) -> Any:
    """The same access in Faust's words; None in the clear."""
    if kafka.logs_in:
        return faust.SASLCredentials(
            username=kafka.username, password=kafka.password, ssl_context=kafka.tls, mechanism=kafka.mechanism
        )
    return faust.SSLCredentials(kafka.tls) if kafka.tls else None


async def _land(app: StreamApp, pipeline: Pipeline, event: Any, on_failure: Callable[[BaseException], None]) -> None:
    """Land one fetch, then report it. The only place from which offsets move (rule 8)."""
    records: list[Record] = event.value
    try:
        await pipeline.land(records)
    except Exception as error:  # noqa: BLE001  # whatever it is, Faust must not see it: it would go on with the next
        on_failure(error)
        await asyncio.Event().wait()
    consumer: BatchConsumer = app.consumer
    consumer.landed(next_offsets(records), event.message.generation_id)
    event.ack()


def next_offsets(records: Sequence[Record]) -> dict[TP, int]:
    """For each partition in a batch, the offset after its last record."""
    partitions = {(record.topic, record.partition): record for record in records}  # the last one of each
    return {TP(*partition): last.offset + 1 for partition, last in partitions.items()}
