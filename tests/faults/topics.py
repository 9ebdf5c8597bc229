"""Reading, writing and emptying the broker's topics directly, one blocking call each."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import KafkaError

SIGNALS = "cx.enrichment.ticket_signals"
ACCOUNTS = "cx.enrichment.accounts"
CAPTURED = (SIGNALS, "cx.enrichment.tag_taxonomy", ACCOUNTS)
UUID = "00000000-0000-0000-0000-000000000000"  # a static member's id is its instance's name, a dash and one of these
LARGEST = 16 * 1024 * 1024
Result = TypeVar("Result")


class Written(NamedTuple):
    """One record of a topic."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    offset: int = -1


def read(bootstrap: str, topic: str) -> list[Written]:
    """All records of a topic, by partition and offset."""

    async def take(consumer: AIOKafkaConsumer) -> list[Written]:
        ends = await consumer.end_offsets(consumer.assignment())  # without a group: every partition
        found: list[Written] = []
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [Written(r.topic, r.partition, r.key, r.value, r.offset) for r in records]
        return sorted(found, key=lambda record: (record.partition, record.offset))

    options = {"bootstrap_servers": bootstrap, "auto_offset_reset": "earliest", "max_partition_fetch_bytes": LARGEST}
    return _with(lambda: AIOKafkaConsumer(topic, **options), take)


def write(bootstrap: str, records: Iterable[Written]) -> None:
    """Append these records, in this order within each partition."""

    async def send(producer: AIOKafkaProducer) -> None:
        sent = [await producer.send(r.topic, r.value, key=r.key, partition=r.partition) for r in records]
        await asyncio.gather(*sent)

    _with(lambda: AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=LARGEST, acks="all"), send)


def empty(bootstrap: str, *names: str) -> None:
    """Delete every record of these topics."""

    async def measure(consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        ends: dict[TopicPartition, int] = await consumer.end_offsets(consumer.assignment())
        return ends

    async def delete(admin: AIOKafkaAdminClient) -> None:
        await admin.delete_records({partition: RecordsToDelete(before_offset=end) for partition, end in ends.items() if end})

    ends = _with(lambda: AIOKafkaConsumer(*names, bootstrap_servers=bootstrap), measure)
    _with(lambda: AIOKafkaAdminClient(bootstrap_servers=bootstrap), delete)


def committed(bootstrap: str, group: str) -> dict[tuple[str, int], int]:
    """The group's committed offset per partition."""

    async def ask(admin: AIOKafkaAdminClient) -> dict[tuple[str, int], int]:
        offsets = await admin.list_consumer_group_offsets(group)
        return {(partition.topic, partition.partition): entry.offset for partition, entry in offsets.items()}

    return _with(lambda: AIOKafkaAdminClient(bootstrap_servers=bootstrap), ask)


def members(bootstrap: str, group: str) -> set[str]:
    """Instance names of a group's members, those that died lately included; none while it rebalances."""

    async def ask(admin: AIOKafkaAdminClient) -> set[str]:
        [answer] = await admin.describe_consumer_groups([group])
        [(_, _, state, _, _, described, *_)] = answer.groups
        return {member_id[: -len("-" + UUID)] for member_id, *_ in described} if state == "Stable" else set()

    return _with(lambda: AIOKafkaAdminClient(bootstrap_servers=bootstrap), ask)


def rewind(bootstrap: str, group: str) -> bool:
    """Set the group's committed offsets to the first record of every partition; False while the group has members."""

    async def commit_first(consumer: AIOKafkaConsumer) -> bool:
        partitions = [TopicPartition(*place) for place in known]
        consumer.assign(partitions)
        try:
            await consumer.commit(await consumer.beginning_offsets(partitions))
        except KafkaError:
            return False
        return True

    known = committed(bootstrap, group)
    return _with(lambda: AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False), commit_first)


def _with(make_client: Callable[[], Any], use: Callable[[Any], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        client = make_client()  # aiokafka's clients belong to the loop they are made in
        await client.start()
        try:
            return await use(client)
        finally:
            await (client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())

    return asyncio.run(run())
