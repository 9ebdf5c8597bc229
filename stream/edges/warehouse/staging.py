"""Rows on their way in: COPY into temporary tables, from which set-based statements write."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import astuple
from sqlalchemy import Connection

from stream.core.records import Change
from stream.core.tickets import signal_of
from stream.edges.warehouse.query import cursor
from stream.edges.warehouse.tables import SIGNAL_COLUMNS

COLUMNS = ", ".join(SIGNAL_COLUMNS)
_TAGS = SIGNAL_COLUMNS.index("raw_tags")
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"'})

TEMPORARY_TABLES = (
    "create temporary table staged (place integer not null, like landing.ticket_signal_versions) on commit delete rows",
    "alter table pg_temp.staged drop column landed_at, drop column landed_xid",
    "create temporary table staged_letters (like landing.dead_letters, fresh bigint) on commit delete rows",
    "alter table pg_temp.staged_letters alter column dead_letter_id drop not null",
)
COPY = f"copy pg_temp.staged (place, {COLUMNS}) from stdin"


def create_staging(connection: Any) -> None:
    """Make the temporary table of a new connection (psycopg's, before its first use)."""
    with connection.cursor() as own:
        for statement in TEMPORARY_TABLES:
            own.execute(statement)
    connection.commit()


def stage(connection: Connection, changes: Iterable[tuple[int, Change]]) -> None:
    """COPY the changes of a batch, each with its place, into `staged`."""
    with cursor(connection) as own, own.copy(COPY) as copy:
        write_row = copy.write_row
        for place, change in changes:
            write_row(staged_row(place, change))


def staged_row(place: int, change: Change) -> list[object]:
    """One line of the COPY."""
    row: list[object] = [place, *astuple(signal_of(change))]
    row[_TAGS + 1] = array_literal(signal_of(change).raw_tags or [])
    record = change.record
    row += (change.content_hash, "{%d}" % change.position, record.partition, record.offset)  # noqa: UP031  # quickest
    row += (change.committed_at, change.captured_at)
    return row


def array_literal(values: Iterable[str]) -> str:
    """A text array as PostgreSQL reads it."""
    return "{" + ",".join(['"' + value.translate(_ESCAPES) + '"' for value in values]) + "}"


def numbers_literal(values: Iterable[int]) -> str:
    """An array of integers as PostgreSQL reads it."""
    return "{" + ",".join(map(str, values)) + "}"
