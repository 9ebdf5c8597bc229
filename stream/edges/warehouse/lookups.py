"""The taxonomy and the accounts in the warehouse: guarded upserts, tombstones without payload."""

from collections.abc import Mapping

from sqlalchemy import Connection, TextClause, text

from stream.core.contract.rows import IDENTITIES, ROW_TYPES
from stream.core.lookups import LookupFold, Standing, lookup_values, standing_of
from stream.core.records import Change, Deletion
from stream.edges.warehouse.literals import array_literal
from stream.edges.warehouse.query import read

_TABLES = ("tag_taxonomy", "accounts")


def _known(table: str) -> TextClause:
    key = IDENTITIES[table][0]
    return text(f"select {key}, source_position, content_hash from landing.{table} where {key} = any(cast(:keys as text[]))")


# The same content at a later position moves only the position: readers see no change in it.
def _upsert(table: str) -> TextClause:
    key, columns = IDENTITIES[table][0], ROW_TYPES[table].__struct_fields__
    names, values = ", ".join(columns), ", ".join(f":{column}" for column in columns)
    sets = ", ".join(f"{column} = excluded.{column}" for column in columns)
    visible = "known.content_hash is distinct from excluded.content_hash"
    return text(f"""
insert into landing.{table} as known ({names}, content_hash, source_position, is_deleted)
values ({values}, :content_hash, :source_position, :is_deleted)
on conflict ({key}) do update set {sets}, content_hash = excluded.content_hash,
    source_position = excluded.source_position, is_deleted = excluded.is_deleted,
    landed_at = case when {visible} then excluded.landed_at else known.landed_at end,
    landed_xid = case when {visible} then excluded.landed_xid else known.landed_xid end
where (excluded.source_position, excluded.content_hash) > (known.source_position, known.content_hash)
""")


KNOWN = {table: _known(table) for table in _TABLES}
UPSERT = {table: _upsert(table) for table in _TABLES}


def read_known(connection: Connection, table: str, keys: list[str]) -> dict[str, Standing]:
    """What is known of these rows."""
    rows = read(connection, KNOWN[table], {"keys": array_literal(keys)})
    return {key: Standing(int(position), content_hash) for key, position, content_hash in rows}


def write_lookups(connection: Connection, table: str, fold: LookupFold) -> None:
    """Write the events that became the latest of their row, in the order of their keys."""
    if fold.latest:
        connection.execute(UPSERT[table], [_parameters(table, fold.latest[key]) for key in sorted(fold.latest)])


def _parameters(table: str, event: Change | Deletion) -> Mapping[str, object]:
    columns = ROW_TYPES[table].__struct_fields__
    position, content_hash = standing_of(event)
    values = dict(zip(columns, lookup_values(event, len(columns)), strict=True))
    return {
        **values,
        "content_hash": content_hash,
        "source_position": position,
        "is_deleted": isinstance(event, Deletion),
    }
