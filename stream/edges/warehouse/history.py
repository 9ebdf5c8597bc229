"""Writing versions and latest rows: COPY straight into the history, and from there into the latest."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import astuple
from sqlalchemy import Connection, text

from stream.core.lives import Ticket
from stream.core.records import Change
from stream.core.tickets import Fold, NewVersion
from stream.edges.warehouse.literals import COPY_OPTIONS, Row, array_literal, copy_lines, numbers_literal
from stream.edges.warehouse.query import cursor
from stream.edges.warehouse.tables import SIGNAL_COLUMNS

COLUMNS = ", ".join(SIGNAL_COLUMNS)
_SET = ", ".join(f"{column} = landed.{column}" for column in SIGNAL_COLUMNS if column not in {"source_system", "ticket_id"})

# landed_at is given, though it has a default: COPY writes row by row when a default is volatile.
COPY_VERSIONS = f"copy landing.ticket_signal_versions ({COLUMNS}, landed_at) from stdin {COPY_OPTIONS}"
_TAGS = SIGNAL_COLUMNS.index("raw_tags")
NOW = text("select clock_timestamp()")

# Found by their transaction: a probe per key would cost more than passing over the few that are not wanted.
_LANDED = """landing.ticket_signal_versions as landed
where landed.landed_xid = pg_current_xact_id() and landed.idempotency_key not in (select unnest(cast(:others as text[])))
"""

# Two statements rather than an upsert, which probes for a conflict before each insert and locks before each update.
# A ticket that got its first row in between is a unique violation: the batch is tried again.
INSERT_LATEST = text(f"insert into landing.ticket_signals ({COLUMNS}, landed_at) select {COLUMNS}, landed_at from {_LANDED}")

# The guard keeps the latest the latest even when another transaction wrote a newer version in between.
UPDATE_LATEST = text(f"""
update landing.ticket_signals as latest set {_SET}, landed_at = landed.landed_at, landed_xid = landed.landed_xid
from {_LANDED}
    and latest.source_system = landed.source_system and latest.ticket_id = landed.ticket_id and latest.version < landed.version
""")

_NEW_POSITIONS = """(
    select key, cast(positions as numeric[]) as positions
    from unnest(cast(:keys as text[]), cast(:positions as text[])) as seen (key, positions)
) as seen"""

# The latest rows have no index on the key: they are found by the ticket that holds it.
SET_POSITIONS = (
    text(f"""
update landing.ticket_signal_versions as stored set source_positions = seen.positions
from {_NEW_POSITIONS}
where stored.idempotency_key = seen.key
"""),
    text(f"""
update landing.ticket_signals as stored set source_positions = seen.positions
from {_NEW_POSITIONS}
inner join landing.ticket_signal_versions as version on seen.key = version.idempotency_key
where
    stored.source_system = version.source_system
    and stored.ticket_id = version.ticket_id
    and stored.idempotency_key = seen.key
"""),
)


def write_fold(connection: Connection, fold: Fold, standing: Collection[Ticket], settled: Iterable[str] = ()) -> None:
    """Write what untangled tickets' events add.

    Args:
        standing: the tickets that have a latest row.
        settled: keys that joined the history in this transaction before.
    """
    insert_versions(connection, fold.new.values())
    landed, latest = {*fold.new, *settled}, set(fold.latest.values())
    updates = {key for ticket, key in fold.latest.items() if ticket in standing}
    for statement, keys in ((UPDATE_LATEST, updates), (INSERT_LATEST, latest - updates)):
        if keys:
            connection.execute(statement, {"others": array_literal(landed - keys)})
    set_positions(connection, fold.seen_again)


def insert_versions(connection: Connection, versions: Collection[NewVersion]) -> None:
    """Add versions to the history."""
    if versions:
        landed_at = connection.scalar(NOW)
        with cursor(connection) as own, own.copy(COPY_VERSIONS) as copy:
            copy.write(copy_lines([version_row(new.change, new.positions, landed_at) for new in versions]))


def version_row(change: Change, positions: tuple[int, ...], landed_at: datetime) -> Row:
    """One version as COPY_VERSIONS takes it: the contract's fields in their order, then where it came from."""
    values: list[Any] = list(astuple(change.row))
    values[_TAGS] = array_literal(values[_TAGS])
    record = change.record
    values += (
        f"\\x{change.content_hash.hex()}",
        numbers_literal(positions),
        record.partition,
        record.offset,
        change.committed_at,
        change.captured_at,
        landed_at,
    )
    return values


def set_positions(connection: Connection, positions: Mapping[str, tuple[int, ...]]) -> None:
    """Remember further positions of standing versions; readers see no change in it."""
    if positions:
        for statement in SET_POSITIONS:
            connection.execute(statement, positions_parameters(positions))


def positions_parameters(positions: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Two parallel arrays: keys, and each one's positions as the text of an array."""
    return {"keys": array_literal(positions), "positions": array_literal(map(numbers_literal, positions.values()))}
