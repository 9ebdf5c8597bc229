"""landing.consumed_records: what was read of each partition, written with the effect itself."""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, text

from stream.core.accounting import Consumed, Partition
from stream.core.outcomes import Outcome
from stream.edges.warehouse.query import read

# One lock for everybody (shared; exclusive to untangle), then one per partition: a worker that lost a partition but
# does not know it yet and the partition's new owner take turns.
LOCK_ALL = text("select pg_advisory_xact_lock(6231, 0)")
SHARE_ALL = text("select pg_advisory_xact_lock_shared(6231, 0)")
LOCK_PARTITIONS = text("select pg_advisory_xact_lock(hashtextextended(name, 6231)) from unnest(cast(:names as text[])) as name")

NEXT_OFFSETS = text("select topic, kafka_partition, next_offset from landing.consumed_records where topic = any(:topics)")

_COUNTS = (*(outcome.value for outcome in Outcome), "redelivered", "missing")
UPSERT = text(f"""
insert into landing.consumed_records as known (topic, kafka_partition, first_offset, next_offset, {", ".join(_COUNTS)})
values (:topic, :partition, :first_offset, :next_offset, {", ".join(f":{name}" for name in _COUNTS)})
on conflict (topic, kafka_partition) do update set
    next_offset = greatest(known.next_offset, excluded.next_offset),
    {", ".join(f"{name} = known.{name} + excluded.{name}" for name in _COUNTS)},
    updated_at = clock_timestamp()
""")


def lock(connection: Connection, partitions: Collection[Partition], alone: bool) -> None:
    """Take this transaction's locks, in one order for everybody."""
    connection.execute(LOCK_ALL if alone else SHARE_ALL)
    connection.execute(LOCK_PARTITIONS, {"names": [f"{topic}/{partition}" for topic, partition in sorted(partitions)]})


def next_offsets(connection: Connection, topics: Collection[str]) -> dict[Partition, int]:
    """The offset to be read next, of every partition that was ever read."""
    rows = read(connection, NEXT_OFFSETS, {"topics": sorted(topics)})
    return {(topic, partition): offset for topic, partition, offset in rows}


def write_consumed(connection: Connection, consumed: Mapping[Partition, Consumed]) -> None:
    """Add a batch's counts."""
    if consumed:
        connection.execute(UPSERT, [_parameters(partition, consumed[partition]) for partition in sorted(consumed)])


def _parameters(partition: Partition, one: Consumed) -> dict[str, object]:
    return {
        "topic": partition[0],
        "partition": partition[1],
        "first_offset": one.first_offset,
        "next_offset": one.next_offset,
        **{outcome.value: one.outcomes.get(outcome, 0) for outcome in Outcome},
        "redelivered": one.redelivered,
        "missing": one.missing,
    }
