"""Where the partitions of our topics begin and end now."""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError


class KafkaUnreachable(Exception):
    """Kafka does not answer, or lacks a topic; the message says which."""


def partition_ends(bootstrap: str, topics: Sequence[str]) -> dict[tuple[str, int], tuple[int, int]]:
    """(topic, partition): first and end offset, of every partition. Raises KafkaUnreachable."""
    try:
        found = asyncio.run(_partition_ends(bootstrap, topics))
    except (KafkaError, OSError) as error:
        raise KafkaUnreachable(f"Kafka at {bootstrap}: {error}") from error
    missing = sorted(set(topics) - {topic for topic, _ in found})
    if missing:
        raise KafkaUnreachable(f"Kafka at {bootstrap} has no topic {', '.join(missing)}")
    return found


async def _partition_ends(bootstrap: str, topics: Sequence[str]) -> dict[tuple[str, int], tuple[int, int]]:
    # Without a group, all partitions of the topics are assigned at once.
    async with AIOKafkaConsumer(*topics, bootstrap_servers=bootstrap, request_timeout_ms=10_000) as consumer:
        partitions = consumer.assignment()
        first, end = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        return {(one.topic, one.partition): (first[one], end[one]) for one in partitions}
