"""What the relay reads of landing. Text built from a window and our own column names; values are literals of ours."""

from collections.abc import Sequence

from connectors.outbound.relay.snapshots import CHANGED, RESTATED, WITHDRAWN, Snapshot, Window

VERSIONS, LATEST, ENDED = "landing.ticket_signal_versions", "landing.ticket_signals", "landing.deleted_tickets"
RESTATED_TICKETS = "landing.restated_tickets"
LANDED = (VERSIONS, RESTATED_TICKETS, ENDED)  # every change is a row of one of them


def anything_unseen(seen: Snapshot) -> str:
    """The present snapshot, the epoch, and whether landing has a row that `seen` has not seen."""
    exists = " or ".join(f"exists (select from {table} as row where {seen.unseen('row')})" for table in LANDED)
    return f"select pg_current_snapshot()::text, (select epoch from ops.outbound_relay), {exists}"


def part_bound(window: Window, rows: int) -> str:
    """The transaction at which a part of so many rows per table ends; null when the window has fewer."""
    nth = f"order by row.landed_xid offset {rows - 1} limit 1"
    bounds = [f"(select row.landed_xid from {table} as row where {window.holds('row')} {nth})" for table in LANDED]
    return f"select least({', '.join(bounds)})::text"


def window_rows(window: Window, columns: Sequence[str]) -> str:
    """The records of a window in the order of their sequence. A ticket's rank 0 row has its identity only.

    changed: versions that were the latest when they landed: no higher one of the ticket had landed before.
    restated: what is the latest again, because a conflict took the version that was.
    and deletes, but for those that ended an earlier life only.
    """
    return f"""
with changed as (
    select
        {CHANGED} as rank, row.landed_xid, row.kafka_offset, row.landed_at, null::numeric as deleted_position,
        {_listed(columns)}
    from {VERSIONS} as row
    where {window.holds("row")} and not exists (
        select from {VERSIONS} as earlier
        where
            earlier.source_system = row.source_system
            and earlier.ticket_id = row.ticket_id
            and earlier.version > row.version
            and (earlier.landed_xid, earlier.kafka_offset) < (row.landed_xid, row.kafka_offset)
    )
),

restated as (
    select
        {RESTATED}, restated.landed_xid, row.kafka_offset, restated.landed_at, null::numeric,
        {_listed(columns)}
    from {RESTATED_TICKETS} as restated
    inner join {LATEST} as row using (source_system, ticket_id)
    where {window.holds("restated")} and row.landed_xid < restated.landed_xid
)

select * from changed
union all
select * from restated
union all
select {WITHDRAWN}, row.landed_xid, 0, row.landed_at, row.deleted_position, {_identity_only(columns)}
from {ENDED} as row
where {window.holds("row")} and {_is_gone()}
order by landed_xid, rank, kafka_offset
"""


def filling_tickets(seen: Snapshot, columns: Sequence[str], rows: int) -> str:
    """Living tickets after the parameters, in the order of the history's index over tickets, as `seen` sees them."""
    return f"""
select
    {CHANGED} as rank, row.landed_xid, row.kafka_offset, row.landed_at, null::numeric as deleted_position,
    {_listed(columns)}
from {LATEST} as row
where (row.ticket_id, row.source_system) > (%(ticket_id)s, %(source_system)s) and {seen.seen("row")}
order by row.ticket_id, row.source_system
limit {rows}
"""


def filling_deleted(seen: Snapshot, columns: Sequence[str], rows: int) -> str:
    """Deleted tickets after the parameters, in the order of their identity, as `seen` sees them."""
    return f"""
select
    {WITHDRAWN} as rank, row.landed_xid, 0 as kafka_offset, row.landed_at, row.deleted_position,
    {_identity_only(columns)}
from {ENDED} as row
where
    (row.source_system, row.ticket_id) > (%(source_system)s, %(ticket_id)s) and {seen.seen("row")} and {_is_gone()}
order by row.source_system, row.ticket_id
limit {rows}
"""


def _is_gone() -> str:
    """Whether a delete took what stood: a ticket whose latest version stood before its tombstone lives on."""
    return f"""not exists (
    select from {LATEST} as living
    left join {RESTATED_TICKETS} as restated using (source_system, ticket_id)
    where
        living.source_system = row.source_system
        and living.ticket_id = row.ticket_id
        and greatest(living.landed_xid, restated.landed_xid) < row.landed_xid
)"""


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(f"row.{name}::text" if name == "custom_metrics" else f"row.{name}" for name in columns)


def _identity_only(columns: Sequence[str]) -> str:
    return ", ".join(f"row.{name}" if name in ("source_system", "ticket_id") else f"null as {name}" for name in columns)
