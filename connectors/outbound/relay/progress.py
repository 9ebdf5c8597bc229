"""ops.outbound_relay: what the topics have been told. One row, written only after Kafka has acknowledged."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from connectors.outbound.relay.snapshots import Snapshot, Window, snapshot

Filling = Literal["deleted", "tickets"]
LAST_EPOCH = 65_535

FIRST = """
insert into ops.outbound_relay (seen, filling) values (pg_current_snapshot(), 'tickets')
on conflict do nothing
"""
READ = """
select
    epoch, seen::text, filling, filled_source_system, filled_ticket_id,
    until::text, coalesce(through, '0'::xid8)::text as through
from ops.outbound_relay
"""
REFILL = """
update ops.outbound_relay set
    epoch = epoch + 1, seen = pg_current_snapshot(), filling = 'deleted',
    filled_source_system = null, filled_ticket_id = null, until = null, through = null, updated_at = clock_timestamp()
"""
# Another epoch means that somebody asked for everything anew: what was carried out meanwhile is said again by the filling.
KEEP = """
update ops.outbound_relay set
    seen = coalesce(%(seen)s::pg_snapshot, seen),
    filling = %(filling)s, filled_source_system = %(source_system)s, filled_ticket_id = %(ticket_id)s,
    until = %(until)s::pg_snapshot, through = %(through)s::xid8,
    records = records + %(records)s, updated_at = clock_timestamp()
where epoch = %(epoch)s
returning true
"""
ALERT = """
insert into ops.alert_outbox (fingerprint, state, severity, owner, summary, details)
values ('outbound:relay', %s, 'warning', 'data-platform', %s, %s::jsonb)
"""
DETAILS = (
    """{"remedy": "Nothing is lost: landing keeps what was not told. See that Kafka answers.", "runbook": "systems-of-action"}"""
)


@dataclass(frozen=True)
class Progress:
    """What was carried out so far."""

    epoch: int
    seen: Snapshot
    filling: Filling | None = None
    filled: tuple[str, str] = ("", "")
    until: Snapshot | None = None
    through: int = 0

    def window(self, now: Snapshot) -> Window:
        """The window to go on with: the one under way, or all that `now` sees."""
        return Window(self.seen, self.until or now, self.through)


async def read(connection: AsyncConnection[Any]) -> Progress:
    """The progress; a first start begins a filling, a warehouse that was set back begins another."""
    await connection.execute(FIRST)
    progress = await _read(connection)
    row = await (await connection.execute("select pg_snapshot_xmax(pg_current_snapshot())::text")).fetchone()
    assert row is not None  # noqa: S101 - a select without a from has one row
    if int(row[0]) < progress.seen.next:  # restored from a dump: its transaction numbers begin anew
        await refill(connection)
        progress = await _read(connection)
    return progress


async def _read(connection: AsyncConnection[Any]) -> Progress:
    async with connection.cursor(row_factory=dict_row) as cursor:
        row = await (await cursor.execute(READ)).fetchone()
    assert row is not None  # noqa: S101 - it was just written
    return _progress(row)


def _progress(row: Mapping[str, Any]) -> Progress:
    return Progress(
        row["epoch"],
        snapshot(row["seen"]),
        row["filling"],
        (row["filled_source_system"] or "", row["filled_ticket_id"] or ""),
        snapshot(row["until"]) if row["until"] else None,
        int(row["through"]),
    )


async def refill(connection: AsyncConnection[Any]) -> None:
    """Have the topics told every ticket's state anew, the deleted ones included."""
    await connection.execute(REFILL)


async def keep(connection: AsyncConnection[Any], progress: Progress, records: int) -> bool:
    """Write the progress down; False when the epoch is another by now and nothing was written."""
    row = await connection.execute(
        KEEP,
        {
            "seen": progress.seen.text,
            "filling": progress.filling,
            "source_system": progress.filled[0] or None,
            "ticket_id": progress.filled[1] or None,
            "until": progress.until.text if progress.until else None,
            "through": str(progress.through) if progress.through else None,
            "records": records,
            "epoch": progress.epoch,
        },
    )
    return await row.fetchone() is not None


async def alert(connection: AsyncConnection[Any], state: Literal["firing", "ok"], summary: str) -> None:
    """Tell people that the relay cannot go on, or that it can again."""
    await connection.execute(ALERT, [state, summary, DETAILS])
