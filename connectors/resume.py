"""May the capture go on where it stopped? Not when the slot stands beyond the offset that Kafka Connect stored.

What lies between the two is never sent again. Debezium 3.7 (`trust_offset`) looks at the slot's restart_lsn alone, which an
open transaction holds back; what it will be sent begins at confirmed_flush_lsn. So this is asked before Connect starts.

On a cluster, and in docker-compose.yml: `cx prepare --before-connect`; exit code 1 refuses.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from connectors.register import CONNECTOR_NAME

SLOT, OFFSETS_TOPIC = "cx_enrichment", "cx.connect.offsets"
CONFIRMED = """
select pg_wal_lsn_diff(confirmed_flush_lsn, '0/0')::bigint
from pg_replication_slots where slot_name = %s and database = current_database()
"""
NEWEST = 1_000  # records per partition in which the newest offset is looked for before the whole topic is read


class SkippedChangesError(Exception):
    """Changes of the store were never captured and never will be; the message says how much of the log."""


def refuse_gap(store_url: str, kafka: Mapping[str, Any]) -> None:
    """Raise SkippedChangesError when changes lie between the stored offset and the slot.

    `kafka` are the options that every client of aiokafka takes. Without a slot or without an offset there is nothing to
    compare: Debezium itself refuses the one, and takes a snapshot for the other. Raises psycopg.Error or KafkaError when
    one of the two cannot be read.
    """
    confirmed = _confirmed(store_url)
    if confirmed is None:
        return
    skipped = skipped_bytes(asyncio.run(_stored_offset(kafka)), confirmed)
    if skipped:
        raise SkippedChangesError(
            f"replication slot {SLOT} is {skipped:,} bytes of log beyond the offset Kafka Connect stored: "
            "what the store changed between them will never be sent"
        )


def skipped_bytes(offset: Mapping[str, Any] | None, confirmed: int) -> int:
    """Bytes of log between a stored offset and the slot's confirmed position; 0 when the slot is not ahead.

    Debezium confirms only what was stored before, so any of the offset's positions at or beyond the slot's will do.
    """
    stored = max((int((offset or {}).get(name) or 0) for name in ("lsn", "lsn_commit", "lsn_proc")), default=0)
    return max(0, confirmed - stored) if stored else 0


def _confirmed(store_url: str) -> int | None:
    with psycopg.connect(store_url, connect_timeout=5) as connection:
        row = connection.execute(CONFIRMED, [SLOT]).fetchone()
    return row[0] if row else None


async def _stored_offset(kafka: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The connector's newest offset in Connect's own topic; None when there is none (any more)."""
    partitions = await _partitions(kafka)
    if not partitions:
        return None
    consumer = AIOKafkaConsumer(**kafka, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(partitions)
        firsts, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        newest = await _newest(consumer, {place: max(firsts[place], end - NEWEST) for place, end in ends.items()}, ends)
        found = newest if newest is not None else await _newest(consumer, firsts, ends)
        return json.loads(found) if found else None
    finally:
        await consumer.stop()


async def _partitions(kafka: Mapping[str, Any]) -> list[TopicPartition]:
    """The partitions of Connect's offsets topic; none before Connect's first start, which makes it."""
    admin = AIOKafkaAdminClient(**kafka)
    await admin.start()
    try:
        if OFFSETS_TOPIC not in await admin.list_topics():
            return []
        [topic] = await admin.describe_topics([OFFSETS_TOPIC])
        return [TopicPartition(OFFSETS_TOPIC, entry["partition"]) for entry in topic["partitions"]]
    finally:
        await admin.close()


async def _newest(
    consumer: AIOKafkaConsumer, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
) -> bytes | None:
    """The value of the connector's last record between these offsets: b"" for one that was deleted, None for no record."""
    for partition, offset in starts.items():
        consumer.seek(partition, offset)
    newest: bytes | None = None
    while any([await consumer.position(partition) < end for partition, end in ends.items()]):
        for records in (await consumer.getmany(timeout_ms=200)).values():
            for record in records:
                if is_of_connector(record.key):
                    newest = record.value or b""
    return newest


def is_of_connector(key: bytes | None) -> bool:
    """Whether a record of Connect's offsets topic is about our connector: its key is `["<connector>",{...}]`."""
    try:
        parsed = json.loads(key or b"null")
    except ValueError:
        return False
    return isinstance(parsed, list) and parsed[:1] == [CONNECTOR_NAME]
