"""Signals to the connector, as rows of enrichment.cdc_signal: read rows again, pause, resume. Text is built purely."""

import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import psycopg

Identity = tuple[str, ...]
ROWS_PER_SIGNAL = 500
INSERT = "insert into enrichment.cdc_signal (id, type, data) values (%s, %s, %s)"


def execute_snapshot(collection: str, row_filter: str = "") -> tuple[str, str]:
    """Type and data of the signal that has rows read again.

    Args:
        collection: one of the store's captured tables, schema.table.
        row_filter: a condition in the store's SQL; all rows when empty.
    """
    data: dict[str, Any] = {"type": "INCREMENTAL", "data-collections": [collection]}
    if row_filter:
        # Debezium puts the filter beside its own conditions with `and`.
        data["additional-conditions"] = [{"data-collection": collection, "filter": f"({row_filter})"}]
    return "execute-snapshot", json.dumps(data)


def pause() -> tuple[str, str]:
    """Type and data of the signal that halts a running incremental snapshot after its chunk."""
    return "pause-snapshot", json.dumps({"type": "INCREMENTAL"})


def resume() -> tuple[str, str]:
    """Type and data of the signal that lets a paused incremental snapshot go on."""
    return "resume-snapshot", json.dumps({"type": "INCREMENTAL"})


def identity_filter(columns: Sequence[str], identities: Iterable[Identity]) -> str:
    """The condition that is true for exactly these rows."""
    tuples = ", ".join(f"({', '.join(map(literal, identity))})" for identity in identities)
    return f"({', '.join(columns)}) in ({tuples})"


def identity_filters(columns: Sequence[str], identities: Sequence[Identity]) -> Iterator[str]:
    """Conditions of at most ROWS_PER_SIGNAL rows each."""
    for start in range(0, len(identities), ROWS_PER_SIGNAL):
        yield identity_filter(columns, identities[start : start + ROWS_PER_SIGNAL])


def literal(value: str) -> str:
    """A text as PostgreSQL reads it, whatever standard_conforming_strings says."""
    quoted = value.replace("'", "''")
    return " E'" + quoted.replace("\\", "\\\\") + "'" if "\\" in quoted else f"'{quoted}'"


def new_id() -> str:
    """An id that says that the signal is ours."""
    return f"cx-{secrets.token_hex(6)}"


def send(store: psycopg.Connection[Any], signal: tuple[str, str], signal_id: str | None = None) -> str:
    """Insert a signal; return its id. The connector sees it when the transaction commits."""
    signal_id = signal_id or new_id()
    store.execute(INSERT, [signal_id, *signal])
    return signal_id
