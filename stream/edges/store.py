"""The enrichment store, read only: the columns it has now."""

import psycopg

from stream.core.contract.rows import ROW_TYPES
from stream.core.drift import Kind, column_differences
from stream.core.own_store import StoreMapping
from stream.core.records import Difference

COLUMNS = """
select table_schema || '.' || table_name, column_name, data_type
from information_schema.columns
where table_schema || '.' || table_name = any(%s)
"""

TEXTS = frozenset({"text", "character varying", "character", "USER-DEFINED"})  # Debezium writes enums and domains as text, too
TYPES = {
    "event_id": {"uuid"},
    "occurred_at": {"timestamp with time zone"},
    "updated_at": {"timestamp with time zone"},
    "sentiment_score": {"numeric"},
    "raw_tags": {"ARRAY"},
    "custom_metrics": {"jsonb", "json"},
    "version": {"bigint", "integer", "smallint"},
}


def store_differences(url: str, mapping: StoreMapping | None = None) -> list[Difference]:
    """How the store's captured tables differ from the contract. Raises psycopg.Error when the store cannot be read.

    Of a store with names of its own: which fields the mapping cannot fill, because a column is not there.
    """
    tables = (
        {own.relation: name for name, own in mapping.items()} if mapping else {f"enrichment.{name}": name for name in ROW_TYPES}
    )
    with psycopg.connect(url, connect_timeout=10) as connection:
        rows = connection.execute(COLUMNS, [list(tables)]).fetchall()
    types: dict[str, dict[str, str]] = {}
    for relation, column, data_type in rows:
        types.setdefault(tables[relation], {})[column] = data_type
    if mapping:
        return [
            one for table, own in mapping.items() for one in column_differences(table, own.filled(table, types.get(table, {})))
        ]
    named = [one for table, columns in types.items() for one in column_differences(table, columns)]
    return named + [one for table, columns in types.items() for one in _retyped(table, columns)]


def _retyped(table: str, types: dict[str, str]) -> list[Difference]:
    known = set(ROW_TYPES[table].__struct_fields__)
    wrong = [column for column, data_type in types.items() if column in known and data_type not in _expected(table, column)]
    return [Difference(table, Kind.RETYPED_COLUMN, column) for column in wrong]


def _expected(table: str, column: str) -> set[str] | frozenset[str]:
    return TYPES.get(column, TEXTS) if table == "ticket_signals" or column == "updated_at" else TEXTS
