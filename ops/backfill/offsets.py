"""Where the partitions of our topics begin and end now."""

import asyncio
from collections.abc import Sequence

from stream.kafka import KafkaAccess, KafkaUnreachable, consuming


def partition_ends(kafka: KafkaAccess, topics: Sequence[str]) -> dict[tuple[str, int], tuple[int, int]]:
    """(topic, partition): first and end offset, of every partition. Raises KafkaUnreachable, also when a topic is not there."""
    found = asyncio.run(_partition_ends(kafka, topics))
    missing = sorted(set(topics) - {topic for topic, _ in found})
    if missing:
        raise KafkaUnreachable(f"Kafka at {kafka} has no topic {', '.join(missing)}")
    return found


async def _partition_ends(kafka: KafkaAccess, topics: Sequence[str]) -> dict[tuple[str, int], tuple[int, int]]:
    # Without a group, all partitions of the topics are assigned at once.
    async with consuming(kafka, *topics, request_timeout_ms=10_000) as consumer:
        partitions = consumer.assignment()
        first, end = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        return {(one.topic, one.partition): (first[one], end[one]) for one in partitions}
