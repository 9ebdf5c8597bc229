"""Follow backfills: read the topic from where it stood, count the reads that have landed, until all is over."""

import asyncio
import time
from collections.abc import Callable

import psycopg
from aiokafka import TopicPartition

from ops.backfill import connector, request
from ops.backfill.offsets import partition_ends
from ops.backfill.progress import Progress, is_over, is_read
from ops.backfill.request import Backfill
from stream.kafka import KafkaAccess, KafkaUnreachable, consuming

CONSUMED = "select kafka_partition, next_offset from landing.consumed_records where topic = %s"
Say = Callable[[Progress], None]


class CouldNotFollow(Exception):
    """Kafka or Connect does not answer; the backfill goes on without being watched."""


def ends(kafka: KafkaAccess, topic: str) -> dict[int, int]:
    """End offset of each partition of a topic. Raises CouldNotFollow."""
    try:
        return {partition: end for (_, partition), (_, end) in partition_ends(kafka, [topic]).items()}
    except KafkaUnreachable as error:
        raise CouldNotFollow(str(error)) from error


def follow(backfill: Backfill, kafka: KafkaAccess, connect_url: str, warehouse_url: str, say: Say) -> Progress:
    """Return when the backfill is over; `say` hears about it once a second.

    Raises CouldNotFollow.
    """
    try:
        return asyncio.run(_follow(backfill, kafka, connect_url, warehouse_url, say))
    except (KafkaUnreachable, connector.ConnectorUnreachable) as error:
        raise CouldNotFollow(f"the backfill goes on, unwatched: {error}") from error


async def _follow(backfill: Backfill, kafka: KafkaAccess, connect_url: str, warehouse_url: str, say: Say) -> Progress:
    progress = Progress(backfill.expected)
    news, told, seen = time.monotonic(), 0.0, 0
    async with consuming(kafka) as consumer:
        consumer.assign([TopicPartition(backfill.topic, partition) for partition in backfill.start_offsets])
        for partition, offset in backfill.start_offsets.items():
            consumer.seek(TopicPartition(backfill.topic, partition), offset)
        with psycopg.connect(warehouse_url, autocommit=True) as warehouse:
            while True:
                for where, records in (await consumer.getmany(timeout_ms=300)).items():
                    progress.see(where.partition, [record.offset for record in records if is_read(record.value)])
                if time.monotonic() - told < 1:
                    continue
                told = time.monotonic()
                progress.land(dict(warehouse.execute(CONSUMED, [backfill.topic]).fetchall()))
                if progress.read + progress.landed != seen:
                    news, seen = told, progress.read + progress.landed
                is_running = any(table.endswith(backfill.collection) for table, _ in connector.running(connect_url))
                finished = is_over(progress, is_running, told - news)
                request.remember(warehouse, backfill, progress.landed, finished)
                say(progress)
                if finished:
                    return progress
