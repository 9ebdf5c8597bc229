"""Mend what differs: take out what is wrong, with a trace; have the store's rows read again; end the life of what is extra."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import psycopg

from ops.backfill import signals
from ops.reconcile.comparison import Sides
from ops.reconcile.evidence import ASKED, CONTENT, content_hash
from ops.reconcile.repair_plan import Case, LandedVersion, Plan, plan
from ops.reconcile.settled import store_position
from ops.reconcile.side import Identity, batches, columns_of, decoded
from ops.reconcile.verdicts import Kind, Verdict
from stream.core.batch import divide
from stream.core.letters import SIGNALS_TABLE
from stream.core.positions import reached
from stream.core.records import Deletion, RawRecord
from stream.edges.warehouse.landing import Warehouse
from stream.worker import read_policy

REPAIRS_TOPIC = "cx.repairs"  # what a repair itself lands is accounted for under this name
# Exclusive: no worker lands anything while rows are taken out (stream/edges/warehouse/accounting.py).
LOCK = "select pg_advisory_xact_lock(6231, 0)"
LANDED = f"""
select {CONTENT}, row.content_hash, row.source_positions
from landing.ticket_signal_versions as row
where {ASKED} or idempotency_key = any(%s::text[])
"""
TOMBSTONES = f"select array[source_system, ticket_id], deleted_position from landing.deleted_tickets where {ASKED}"
AUDIT = """
insert into ops.repairs (table_name, identity, action, idempotency_key, version, content_hash, source_positions, reason)
values (%(table)s, %(identity)s, %(action)s, %(key)s, %(version)s, %(hash)s, %(positions)s, %(reason)s)
"""
MARK = """
insert into enrichment.cdc_heartbeat (id, beat_at) values (1, clock_timestamp())
on conflict (id) do update set beat_at = excluded.beat_at
"""
# Readers are told of a ticket that lost a version: an older one is its latest again, or it is gone (as in the stream).
REMAINS = "exists (select from landing.ticket_signal_versions where (source_system, ticket_id) = (%(system)s, %(ticket_id)s))"
RESTATED = f"""
insert into landing.restated_tickets (source_system, ticket_id)
select %(system)s, %(ticket_id)s
where {REMAINS}
on conflict (source_system, ticket_id) do update set landed_at = excluded.landed_at, landed_xid = excluded.landed_xid
"""
VANISHED = f"""
insert into landing.deleted_tickets (source_system, ticket_id, deleted_position)
select %(system)s, %(ticket_id)s, 0
where not {REMAINS}
on conflict (source_system, ticket_id) do update set landed_at = excluded.landed_at, landed_xid = excluded.landed_xid
"""


@dataclass
class Repair:
    """What a repair did. `taken_out` rows were wrong; `asked_for` rows are read again; `ended` rows are gone."""

    taken_out: int = 0
    asked_for: list[Identity] = field(default_factory=list)
    ended: list[Identity] = field(default_factory=list)


def repair(sides: Sides, verdicts: Sequence[Verdict], may_end: Callable[[Identity], bool]) -> Repair:
    """Repair rows that were found missing, different or extra. Returns before the rows that were asked for have landed.

    Args:
        sides: both sides, connected; the warehouse has just consumed all the store had when the verdicts were given.
        verdicts: what is to be mended.
        may_end: whether an extra row may be removed.
    """
    done = Repair()
    reread = [one.identity for one in verdicts if one.kind in (Kind.MISSING, Kind.DIFFERENT)]
    extra = [one.identity for one in verdicts if one.kind == Kind.EXTRA and may_end(one.identity)]
    take_out = _take_out_tickets if sides.is_versioned else _void_rows
    for some in batches(reread + extra):
        done.taken_out += take_out(sides, some)
    position = reached(store_position(sides.store.connection))
    # From this commit on every change has a later position. What is not there after it had no life beyond the position.
    sides.store.connection.execute(MARK)
    returned = sides.store.tokens(extra).keys()
    reread, extra = reread + sorted(returned), sorted(set(extra) - returned)
    _end_lives(sides, extra, position)
    with sides.store.connection.transaction():
        for row_filter in signals.identity_filters(sides.relation.store_identity(sides.store_types), reread):
            signals.send(sides.store.connection, signals.execute_snapshot(sides.relation.store, row_filter))
    done.asked_for, done.ended = reread, extra
    return done


def _take_out_tickets(sides: Sides, identities: list[Identity]) -> int:
    """Remove the altered rows of these tickets that are in the way, in one audited transaction."""
    warehouse = sides.warehouse.connection
    with warehouse.transaction():
        warehouse.execute(LOCK)
        # Nothing lands now, so no landed row can rightly be ahead of this position.
        position = reached(store_position(sides.store.connection))
        store = {identity: row.values for identity, row in sides.store.rows(identities).items()}
        plans = [plan(case) for case in _cases(warehouse, identities, store, position)]
        for one in plans:
            _carry_out(warehouse, one)
    return sum(len(one.remove_versions) + one.removes_tombstone for one in plans)


def _cases(
    warehouse: psycopg.Connection[Any], identities: list[Identity], store: dict[Identity, dict[str, Any]], position: int
) -> list[Case]:
    asked = columns_of(identities)
    keys = [values["idempotency_key"] for values in store.values() if values["idempotency_key"]]
    versions = [
        _landed_version(decoded(content), stored, positions)
        for content, stored, positions in warehouse.execute(LANDED, [*asked, keys])
    ]
    ended = {tuple(identity): int(end) for identity, end in warehouse.execute(TOMBSTONES, asked)}
    cases = []
    for identity in identities:
        values = store.get(identity, {})
        key = values.get("idempotency_key")
        concerned = tuple(one for one in versions if one.identity == identity or (key and one.key == key))
        cases.append(Case(identity, key, values.get("version"), concerned, ended.get(identity), position))
    return cases


def _landed_version(values: dict[str, Any], stored: bytes, positions: list[Decimal]) -> LandedVersion:
    identity = (values["source_system"], values["ticket_id"])
    recomputed = content_hash(SIGNALS_TABLE, values)
    return LandedVersion(identity, values["idempotency_key"], values["version"], stored, recomputed, tuple(map(int, positions)))


def _carry_out(warehouse: psycopg.Connection[Any], one: Plan) -> None:
    for version in one.remove_versions:
        warehouse.execute("delete from landing.ticket_signal_versions where idempotency_key = %s", [version.key])
        _audit(warehouse, one.identity, "removed_version", version, reason="altered after it landed, it kept the store's row out")
        system, ticket_id = version.identity
        warehouse.execute(RESTATED, {"system": system, "ticket_id": ticket_id})
        if version.identity != one.identity:  # nothing is about to be read for it
            warehouse.execute(VANISHED, {"system": system, "ticket_id": ticket_id})
    if one.removes_tombstone:
        warehouse.execute("delete from landing.deleted_tickets where (source_system, ticket_id) = (%s, %s)", one.identity)
        _audit(warehouse, one.identity, "removed_tombstone", reason="it stands at a position the store has not reached")


def _void_rows(sides: Sides, identities: list[Identity]) -> int:
    """Take the hash of altered rows of a small table away, so that the store's content counts as new."""
    key, table, warehouse = sides.relation.identity[0], sides.relation.table, sides.warehouse.connection
    with warehouse.transaction():
        warehouse.execute(LOCK)
        position = reached(store_position(sides.store.connection))
        voided = warehouse.execute(
            f"""update landing.{table} set content_hash = 'voided'::bytea, source_position = least(source_position, %s)
                where {key} = any(%s) and not is_deleted returning {key}""".encode(),
            [position, [identity[0] for identity in identities]],
        ).fetchall()
        for (value,) in voided:
            _audit(warehouse, (value,), "voided_row", reason="it is not what the store holds", table=table)
    return len(voided)


def _end_lives(sides: Sides, identities: Sequence[Identity], position: int) -> None:
    """Land deletes at this position by the stream's own rules: history, letters and latest go, a tombstone stays."""
    if not identities:
        return
    table, warehouse = sides.relation.table, sides.warehouse.connection
    following = warehouse.execute(
        "select next_offset from landing.consumed_records where topic = %s and kafka_partition = 0", [REPAIRS_TOPIC]
    ).fetchone()
    first = following[0] if following else 0
    now = time.time_ns() // 1_000
    deletions = [
        Deletion(RawRecord(REPAIRS_TOPIC, 0, first + number, now // 1_000, None, None), table, identity, position, now)
        for number, identity in enumerate(identities)
    ]
    lander = Warehouse(sides.warehouse_url, read_policy())
    try:
        lander.land(divide(deletions))
    finally:
        lander.close()
    with warehouse.transaction():
        for identity in identities:
            _audit(warehouse, identity, "ended_life", reason=f"the store did not hold it at position {position}", table=table)


def _audit(
    warehouse: psycopg.Connection[Any],
    identity: Identity,
    action: str,
    version: LandedVersion | None = None,
    *,
    reason: str,
    table: str = SIGNALS_TABLE,
) -> None:
    values = {
        "table": table, "identity": list(identity), "action": action, "reason": reason,
        "key": version.key if version else None, "version": version.version if version else None,
        "hash": version.content_hash if version else None, "positions": list(version.positions) if version else None,
    }  # fmt: skip
    warehouse.execute(AUDIT, values)
