"""Looks at a running pipeline from outside: lag, slot, publications, dead letters, alerts. Each look is short and read-only."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from psycopg.rows import dict_row

from stream.kafka import KafkaAccess, administering, consuming

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
OUTBOUND = """
select
    relay.records,
    relay.filling,
    coalesce(round(extract(epoch from clock_timestamp() - least(
        (select landed_at from landing.ticket_signal_versions where landed_xid >= pg_snapshot_xmax(relay.seen)
         order by landed_xid limit 1),
        (select landed_at from landing.deleted_tickets where landed_xid >= pg_snapshot_xmax(relay.seen)
         order by landed_xid limit 1)
    ))::numeric, 1), 0)::float as seconds_behind,
    (select count(*) from ops.crm_accounts where state = 'waiting') as crm_waiting,
    (select count(*) from ops.crm_accounts where state = 'refused') as crm_refused
from ops.outbound_relay as relay
"""
WEBHOOKS = """
select
    (select count(*) from ops.webhook_subscriptions) as subscriptions,
    (select coalesce(array_agg(subscription order by subscription), '{}')
     from ops.webhook_subscriptions where state = 'disabled') as disabled,
    (select coalesce(array_agg(subscription order by subscription), '{}')
     from ops.webhook_subscriptions where state = 'active' and opened_at is not null) as left_alone,
    count(*) filter (where state = 'waiting') as waiting,
    count(*) filter (where state = 'dead') as dead
from ops.webhook_deliveries
where state in ('waiting', 'dead') and subscription in (select subscription from ops.webhook_subscriptions)
"""
SLOT = """
select
    active,
    wal_status,
    pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint as unconfirmed_bytes,
    pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint as retained_bytes,
    safe_wal_size as safe_bytes
from pg_replication_slots
where slot_name = 'cx_enrichment' and database = current_database()
"""
HEARTBEAT = """
select extract(epoch from clock_timestamp() - max(beat_at))::float as heartbeat_age_seconds from enrichment.cdc_heartbeat
"""
AGES_WITHIN_SECONDS = 1.5


def warehouse(url: str) -> Facts:
    """Last publish, last cycle, outbound, dead letters by reason, outcomes of consumed records, alerts. Raises psycopg.Error."""
    with psycopg.connect(url, row_factory=dict_row, **CONNECT_OPTIONS) as connection:  # type: ignore[arg-type]
        letters = {row["reason"]: row["count"] for row in connection.execute(DEAD_LETTERS)}
        return {
            "last_publish": connection.execute(LAST_PUBLISH).fetchone(),
            "last_cycle": connection.execute(LAST_CYCLE).fetchone(),
            "outcomes": connection.execute(OUTCOMES).fetchone(),
            "outbound": connection.execute(OUTBOUND).fetchone(),
            "webhooks": connection.execute(WEBHOOKS).fetchone(),
            "dead_letters": {"open": sum(letters.values()), "by_reason": letters},
            "alerts": {
                **(connection.execute(ALERTS).fetchone() or {}),
                "critical": connection.execute(OPEN_INCIDENTS).fetchall(),
                "channels": connection.execute(CHANNELS).fetchall(),
            },
        }


def slot(store_url: str) -> Facts | None:
    """The replication slot; None: there is none.

    active, wal_status; bytes unconfirmed_bytes, retained_bytes, safe_bytes (left before PostgreSQL gives the slot up; None: no
    limit); heartbeat_age_seconds of the connector's newest beat (None: no beat, or no heartbeat table).
    """
    with psycopg.connect(store_url, row_factory=dict_row, autocommit=True, **CONNECT_OPTIONS) as connection:  # type: ignore[arg-type]
        found = connection.execute(SLOT).fetchone()
        return None if found is None else {**found, **_heartbeat(connection)}


def _heartbeat(connection: psycopg.Connection[Facts]) -> Facts:
    try:
        return connection.execute(HEARTBEAT).fetchone() or {}
    except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
        return {"heartbeat_age_seconds": None}


def lag(kafka: KafkaAccess, group: str, topics: tuple[str, ...]) -> Facts:
    """What the group has still to read, in records and in the age of the oldest of them: see summed_lag.

    Raises KafkaUnreachable or TimeoutError.
    """
    return asyncio.run(asyncio.wait_for(_lag(kafka, group, topics), timeout=5))


async def _lag(kafka: KafkaAccess, group: str, topics: tuple[str, ...]) -> Facts:
    async with administering(kafka) as admin, consuming(kafka, enable_auto_commit=False) as consumer:
        described = await admin.describe_topics(list(topics))
        partitions = [TopicPartition(topic["topic"], part["partition"]) for topic in described for part in topic["partitions"]]
        committed = await admin.list_consumer_group_offsets(group)
        ends = await consumer.end_offsets(partitions)
        begins = await consumer.beginning_offsets(partitions)
        read = {partition: offset.offset for partition, offset in committed.items() if offset.offset >= 0}
        places = {partition: max(read.get(partition, 0), begins[partition]) for partition in partitions}
        ages = await _ages(consumer, {p: place for p, place in places.items() if place < ends[p]})
    behind = {(p.topic, p.partition): ends[p] - places[p] for p in partitions}
    return summed_lag(behind, {(p.topic, p.partition): age for p, age in ages.items()})


async def _ages(consumer: AIOKafkaConsumer, places: Mapping[TopicPartition, int]) -> dict[TopicPartition, float]:
    """Seconds since each partition's first unread record was written; one that is not fetched in time is left out."""
    if not places:
        return {}
    consumer.assign(list(places))
    for partition, place in places.items():
        consumer.seek(partition, place)
    written: dict[TopicPartition, int] = {}
    deadline = time.monotonic() + AGES_WITHIN_SECONDS
    while len(written) < len(places) and time.monotonic() < deadline:
        for partition, records in (await consumer.getmany(timeout_ms=200)).items():
            written.setdefault(partition, records[0].timestamp)
            consumer.pause(partition)
    return {partition: max(0.0, time.time() - stamp / 1000) for partition, stamp in written.items()}


def summed_lag(by_partition: Mapping[tuple[str, int], int], ages: Mapping[tuple[str, int], float] | None = None) -> Facts:
    """What a group has still to read.

    Args:
        by_partition: records that wait in each (topic, partition).
        ages: seconds since the first of them was written.

    Returns: {"records": in all, "seconds": age of the oldest, "worst": the partition with most records or None,
        "partitions": [{topic, partition, records, seconds}]}; seconds is None where records wait whose age is not known.
    """
    known = ages or {}
    rows: list[Facts] = [
        {"topic": topic, "partition": partition, "records": max(0, records), "seconds": known.get((topic, partition))}
        for (topic, partition), records in sorted(by_partition.items())
    ]
    for row in rows:
        row["seconds"] = 0.0 if row["records"] == 0 else row["seconds"]
    waiting = [row for row in rows if row["records"]]
    seconds = [row["seconds"] for row in waiting if row["seconds"] is not None]
    return {
        "records": sum(row["records"] for row in waiting),
        "seconds": max(seconds, default=None if waiting else 0.0),
        "worst": max(waiting, key=lambda row: row["records"], default=None),
        "partitions": rows,
    }
