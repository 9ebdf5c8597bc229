"""Rows on their way in: COPY into temporary tables, from which set-based statements write."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from stream.core.records import Change
from stream.core.tickets import signal_of
from stream.edges.warehouse.query import cursor
from stream.edges.warehouse.tables import SIGNAL_COLUMNS

COLUMNS = ", ".join(SIGNAL_COLUMNS)
STAGED = COLUMNS.replace("content_hash", "decode(content_hash, 'hex')")  # what to select from `staged`
_TAGS = SIGNAL_COLUMNS.index("raw_tags")
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"'})

TEMPORARY_TABLES = (
    "create temporary table staged (place integer not null, like landing.ticket_signal_versions) on commit delete rows",
    "alter table pg_temp.staged drop column landed_at, drop column landed_xid, alter column content_hash type text",
    "create temporary table staged_letters (like landing.dead_letters, fresh bigint) on commit delete rows",
    "alter table pg_temp.staged_letters alter column dead_letter_id drop not null",
)
NULL = "\x01"  # how the COPY text writes null: a character that no row is made of
COPY = f"copy pg_temp.staged (place, {COLUMNS}) from stdin (null '{NULL}')"
_SEPARATORS = len(SIGNAL_COLUMNS)
_COPY_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r", NULL: r"\x01"})


def create_staging(connection: Any) -> None:
    """Make the temporary table of a new connection (psycopg's, before its first use)."""
    with connection.cursor() as own:
        for statement in TEMPORARY_TABLES:
            own.execute(statement)
    connection.commit()


def stage(connection: Connection, changes: Iterable[tuple[int, Change]]) -> None:
    """COPY the changes of a batch, each with its place, into `staged`."""
    lines = [copy_line(staged_row(place, change)) for place, change in changes]
    with cursor(connection) as own, own.copy(COPY) as copy:
        copy.write("".join(lines))


def staged_row(place: int, change: Change) -> list[str | None]:
    """The texts of one staged row; the content hash in hexadecimal."""
    row, record = signal_of(change), change.record
    updated_at, committed_at, captured_at = row.updated_at, change.committed_at, change.captured_at
    return [
        str(place),
        row.event_id,
        row.occurred_at.isoformat(),
        row.source_system,
        row.ticket_id,
        row.account_id,
        row.sentiment,
        None if row.sentiment_score is None else str(row.sentiment_score),
        row.churn_risk,
        row.effort,
        array_literal(row.raw_tags or ()),
        row.canonical_tag,
        row.driver,
        row.custom_metrics,
        row.evidence_url,
        row.evidence_quote,
        row.idempotency_key,
        str(row.version),
        None if updated_at is None else updated_at.isoformat(),
        change.content_hash.hex(),
        "{%d}" % change.position,  # noqa: UP031  # quickest
        str(record.partition),
        str(record.offset),
        None if committed_at is None else committed_at.isoformat(),
        None if captured_at is None else captured_at.isoformat(),
    ]


def copy_line(values: Sequence[str | None]) -> str:
    """One line of COPY text. Most rows hold nothing to escape, and one look at the whole line says so."""
    line = "\t".join([NULL if value is None else value for value in values])
    plain = "\\" not in line and "\n" not in line and "\r" not in line
    if not plain or line.count("\t") != _SEPARATORS or line.count(NULL) != values.count(None):
        line = "\t".join([NULL if value is None else value.translate(_COPY_ESCAPES) for value in values])
    return line + "\n"


def array_literal(values: Iterable[str]) -> str:
    """A text array as PostgreSQL reads it."""
    return "{" + ",".join(['"' + value.translate(_ESCAPES) + '"' for value in values]) + "}"


def numbers_literal(values: Iterable[int]) -> str:
    """An array of integers as PostgreSQL reads it."""
    return "{" + ",".join(map(str, values)) + "}"
