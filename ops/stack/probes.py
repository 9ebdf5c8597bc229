"""Looks at a running pipeline from outside: lag, slot, publications, dead letters, alerts. Each look is short and read-only."""

import asyncio
from typing import Any

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from psycopg.rows import dict_row

Facts = dict[str, Any]

CONNECT_OPTIONS = {"connect_timeout": 2, "options": "-c statement_timeout=1500"}

LAST_PUBLISH = """
select id, at, watermark, gate_result, round(extract(epoch from clock_timestamp() - at)::numeric, 1)::float as seconds_ago
from marts.publications
order by id desc
limit 1
"""
LAST_CYCLE = "select outcome, message, finished_at from ops.publish_cycles order by cycle_id desc limit 1"
DEAD_LETTERS = "select reason, count(*) from landing.dead_letters where status = 'open' group by reason order by 2 desc, 1"
OUTCOMES = """
select
    sum(applied)::bigint as applied,
    sum(duplicate)::bigint as duplicate,
    sum(stale)::bigint as stale,
    sum(conflict)::bigint as conflict,
    sum(rejected)::bigint as rejected,
    sum(deleted)::bigint as deleted
from landing.consumed_records
"""
ALERTS = """
select
    (select count(*) from ops.alert_outbox where processed_at is null) as unprocessed,
    (select coalesce(extract(epoch from clock_timestamp() - min(raised_at)), 0)::float
     from ops.alert_outbox where processed_at is null) as oldest_unprocessed_seconds,
    (select count(*) from ops.alert_deliveries where state in ('waiting', 'sending', 'failed')) as undelivered,
    (select count(*) from ops.incidents where over_at is null) as open_incidents
"""
OPEN_INCIDENTS = """
select severity, owner, summary
from ops.incidents
where over_at is null and severity = 'critical'
order by opened_at
limit 5
"""
CHANNELS = "select channel, state, last_error from ops.alert_channels order by channel"
SLOT = """
select active, wal_status, pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint as unconfirmed_bytes
from pg_replication_slots
where slot_name = 'cx_enrichment' and database = current_database()
"""


def warehouse(url: str) -> Facts:
    """Last publish, last cycle, dead letters by reason, outcomes of consumed records, alerts. Raises psycopg.Error."""
    with psycopg.connect(url, row_factory=dict_row, **CONNECT_OPTIONS) as connection:  # type: ignore[arg-type]
        letters = {row["reason"]: row["count"] for row in connection.execute(DEAD_LETTERS)}
        return {
            "last_publish": connection.execute(LAST_PUBLISH).fetchone(),
            "last_cycle": connection.execute(LAST_CYCLE).fetchone(),
            "outcomes": connection.execute(OUTCOMES).fetchone(),
            "dead_letters": {"open": sum(letters.values()), "by_reason": letters},
            "alerts": {
                **(connection.execute(ALERTS).fetchone() or {}),
                "critical": connection.execute(OPEN_INCIDENTS).fetchall(),
                "channels": connection.execute(CHANNELS).fetchall(),
            },
        }


def slot(store_url: str) -> Facts | None:
    """The replication slot: whether it is read, what PostgreSQL says of its WAL, and how much is unconfirmed; None: no slot."""
    with psycopg.connect(store_url, row_factory=dict_row, **CONNECT_OPTIONS) as connection:  # type: ignore[arg-type]
        return connection.execute(SLOT).fetchone()


def lag(bootstrap: str, group: str, topics: tuple[str, ...]) -> Facts:
    """Records that the group has still to read: {"records": in all, "worst": {topic, partition, records} or None}."""
    return asyncio.run(asyncio.wait_for(_lag(bootstrap, group, topics), timeout=5))


async def _lag(bootstrap: str, group: str, topics: tuple[str, ...]) -> Facts:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await asyncio.gather(consumer.start(), admin.start())
        described = await admin.describe_topics(list(topics))
        partitions = [TopicPartition(topic["topic"], part["partition"]) for topic in described for part in topic["partitions"]]
        committed = await admin.list_consumer_group_offsets(group)
        ends = await consumer.end_offsets(partitions)
        begins = await consumer.beginning_offsets(partitions)
    finally:
        await asyncio.gather(consumer.stop(), admin.close())
    read = {partition: offset.offset for partition, offset in committed.items() if offset.offset >= 0}
    return summed_lag({(p.topic, p.partition): ends[p] - read.get(p, begins[p]) for p in partitions})


def summed_lag(by_partition: dict[tuple[str, int], int]) -> Facts:
    """The sum over the partitions, and the worst of them when any is behind."""
    (topic, partition), records = max(by_partition.items(), key=lambda item: item[1], default=(("", 0), 0))
    worst = {"topic": topic, "partition": partition, "records": records} if records > 0 else None
    return {"records": sum(max(0, behind) for behind in by_partition.values()), "worst": worst}
