"""A backlog in Kafka: events written to a topic before anybody reads it."""

import asyncio
import logging
from collections.abc import Callable, Iterable

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder

from ops.bench.events import PARTITIONS, Event, event

BATCH_BYTES = 900_000


def fill(bootstrap: str, topic: str, numbers: range, tickets: int, make: Callable[[int, int], Event] = event) -> list[Event]:
    """Write these updates to the topic, each ticket's in order; the last event of each partition."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # fresh topics have no leader for a moment: it tries again
    return asyncio.run(_fill(bootstrap, topic, (make(number, tickets) for number in numbers)))


def size(bootstrap: str, topic: str) -> int:
    """How many records the topic holds."""
    return asyncio.run(_size(bootstrap, topic))


async def _size(bootstrap: str, topic: str) -> int:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        ends = await consumer.end_offsets([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
        return int(sum(ends.values()))
    finally:
        await consumer.stop()


async def _fill(bootstrap: str, topic: str, events: Iterable[Event]) -> list[Event]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", compression_type="lz4", max_batch_size=BATCH_BYTES)
    await producer.start()
    batches: dict[int, BatchBuilder] = {}
    last: dict[int, Event] = {}
    try:
        for one in events:
            batch = batches.get(one.partition) or batches.setdefault(one.partition, producer.create_batch())
            if batch.append(timestamp=None, key=one.key, value=one.value) is None:
                await producer.send_batch(batch, topic, partition=one.partition)
                batches[one.partition] = batch = producer.create_batch()
                batch.append(timestamp=None, key=one.key, value=one.value)
            last[one.partition] = one
        for partition, batch in batches.items():
            await producer.send_batch(batch, topic, partition=partition)
        await producer.flush()
    finally:
        await producer.stop()
    return [last[partition] for partition in range(PARTITIONS) if partition in last]
