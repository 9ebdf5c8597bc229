"""Wait until the warehouse has consumed everything that the store had committed at some position.

Two facts make it certain, whatever the traffic: the slot's confirmed position says that Kafka holds all changes up to
there, and the offsets the worker has committed with their effect reach the ends that the partitions had then.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

from ops.backfill import signals
from ops.backfill.offsets import partition_ends
from ops.reconcile.relations import RELATIONS, Relation
from ops.reconcile.side import column_types
from stream.kafka import KafkaAccess, KafkaUnreachable

SLOT = "cx_enrichment"
TOPICS = tuple(f"cx.enrichment.{table}" for table in RELATIONS)
POSITION = "select (pg_current_wal_insert_lsn() - '0/0')::bigint"
CONFIRMED = "select (confirmed_flush_lsn - '0/0')::bigint, active from pg_replication_slots where slot_name = %s"
CONSUMED = "select topic, kafka_partition, next_offset from landing.consumed_records"

NUDGES = (1.0, 10.0, 30.0)  # seconds of waiting after which a row is read again

Offsets = Mapping[tuple[str, int], int]


class NotSettled(Exception):
    """The warehouse does not catch up; the message says what is behind and what to look at."""


def store_position(connection: psycopg.Connection[Any]) -> int:
    """Every change that is visible to statements before this one was committed at or before the position returned."""
    row = connection.execute(POSITION).fetchone()
    assert row is not None  # noqa: S101  # an expression without a table has one row
    return int(row[0])


@dataclass(frozen=True)
class Settling:
    """Waits for the pipeline. `patience` in seconds, for each of its two halves."""

    store_url: str
    warehouse_url: str
    kafka: KafkaAccess
    patience: float = 60.0
    relations: Mapping[str, Relation] = field(default_factory=lambda: RELATIONS)

    def wait(self, position: int) -> None:
        """Return when every change up to this position of the store has had its effect. Raises NotSettled."""
        with psycopg.connect(self.store_url, autocommit=True) as store:
            otherwise = "Kafka Connect does not confirm changes: `cx doctor`"
            _until(lambda: _captured(store, position), self.patience, otherwise, NUDGES, lambda: _nudge(store, self.relations))
        ends = _ends(self.kafka)
        with psycopg.connect(self.warehouse_url, autocommit=True) as warehouse:
            _until(lambda: _consumed(warehouse, ends), self.patience, "the worker is behind: `cx status` shows its lag")


def _nudge(store: psycopg.Connection[Any], relations: Mapping[str, Relation]) -> None:
    """Have one row read again: on an idle store the confirmed position moves only with the heartbeat, 10 to 20 s late."""
    for relation in relations.values():
        try:
            columns = relation.store_identity(column_types(store, relation.store_sql))
            row = store.execute(f"select {', '.join(columns)} from {relation.store_sql} limit 1".encode()).fetchone()
            if row:
                row_filter = signals.identity_filter(columns, [row])
                signals.send(store, signals.execute_snapshot(relation.store, row_filter))
                return
        except psycopg.errors.InsufficientPrivilege:
            return


def _captured(store: psycopg.Connection[Any], position: int) -> bool:
    row = store.execute(CONFIRMED, [SLOT]).fetchone()
    if row is None:
        raise NotSettled(f"the store has no replication slot {SLOT}: nothing is captured; `cx doctor` says more")
    return row[0] is not None and row[0] >= position


def _consumed(warehouse: psycopg.Connection[Any], ends: Offsets) -> bool:
    consumed = {(topic, partition): offset for topic, partition, offset in warehouse.execute(CONSUMED)}
    return not behind(consumed, ends)


def behind(consumed: Offsets, ends: Offsets) -> dict[tuple[str, int], int]:
    """The partitions whose end was not reached, and by how many records. Pure."""
    return {partition: end - consumed.get(partition, 0) for partition, end in ends.items() if end > consumed.get(partition, 0)}


def _ends(kafka: KafkaAccess) -> Offsets:
    """The end offset of every partition that holds records."""
    try:
        found = partition_ends(kafka, TOPICS)
    except KafkaUnreachable as error:
        raise NotSettled(str(error)) from error
    return {partition: end for partition, (first, end) in found.items() if end > first}


def _until(
    condition: Callable[[], bool],
    patience: float,
    otherwise: str,
    moments: tuple[float, ...] = (),
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Wait for the condition; at the given moments, in seconds from now, do something about it."""
    started = time.monotonic()
    ahead = list(moments)
    while not condition():
        waited = time.monotonic() - started
        if waited > patience:
            raise NotSettled(f"{otherwise} (waited {patience:g} s)")
        if ahead and waited > ahead[0]:
            ahead.pop(0)
            meanwhile()
        time.sleep(0.1)
