"""Writing versions: COPY straight into the history. The latest is looked up there, so nothing is written twice."""

from collections.abc import Collection, Mapping
from typing import Any

from msgspec.structs import astuple
from sqlalchemy import Connection, text

from stream.core.records import Change
from stream.core.tickets import Fold, NewVersion
from stream.edges.warehouse import binary
from stream.edges.warehouse.literals import array_literal, numbers_literal
from stream.edges.warehouse.query import cursor
from stream.edges.warehouse.tables import SIGNAL_COLUMNS

COPY_VERSIONS = f"copy landing.ticket_signal_versions ({', '.join(SIGNAL_COLUMNS)}) from stdin (format binary)"
_EVENT_ID, _TAGS, _METRICS, _VERSION = map(SIGNAL_COLUMNS.index, ("event_id", "raw_tags", "custom_metrics", "version"))

SET_POSITIONS = text("""
update landing.ticket_signal_versions as stored set source_positions = cast(seen.positions as numeric[])
from unnest(cast(:keys as text[]), cast(:positions as text[])) as seen (key, positions)
where stored.idempotency_key = seen.key
""")


def write_fold(connection: Connection, fold: Fold) -> None:
    """Write what untangled tickets' events add."""
    insert_versions(connection, fold.new.values())
    set_positions(connection, fold.seen_again)


def insert_versions(connection: Connection, versions: Collection[NewVersion]) -> None:
    """Add versions to the history."""
    if versions:
        with cursor(connection) as own, own.copy(COPY_VERSIONS) as copy:
            for new in versions:
                copy.write_row(version_row(new.change, new.positions))


def version_row(change: Change, positions: tuple[int, ...]) -> list[Any]:
    """One version as COPY_VERSIONS takes it: the contract's fields in their order, then where it came from."""
    values: list[Any] = list(astuple(change.row))
    values[_EVENT_ID] = binary.uuid(values[_EVENT_ID])
    values[_TAGS] = binary.texts(values[_TAGS])
    values[_METRICS] = binary.jsonb(values[_METRICS])
    values[_VERSION] = binary.bigint(values[_VERSION])
    record = change.record
    values += (
        change.content_hash,
        binary.numerics(positions),
        binary.integer(record.partition),
        binary.bigint(record.offset),
        binary.moment(change.committed_at),
        binary.moment(change.captured_at),
    )
    return values


def set_positions(connection: Connection, positions: Mapping[str, tuple[int, ...]]) -> None:
    """Remember further positions of standing versions; readers see no change in it."""
    if positions:
        connection.execute(SET_POSITIONS, positions_parameters(positions))


def positions_parameters(positions: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Two parallel arrays: keys, and each one's positions as the text of an array."""
    return {"keys": array_literal(positions), "positions": array_literal(map(numbers_literal, positions.values()))}
