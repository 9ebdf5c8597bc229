"""Ask the store and the warehouse for the facts of `store` and `warehouse`."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from alembic.config import Config
from alembic.script import ScriptDirectory

from ops.doctor.store import PUBLICATION, ROLE, SLOT, Slot, StoreFacts
from ops.doctor.warehouse import Clock, WarehouseFacts
from ops.reconcile.relations import RELATIONS, Relation
from stream.core.drift import Action, DriftPolicy, Kind
from stream.core.records import Difference

SERVER = """
select
    current_setting('server_version_num')::int, current_setting('wal_level'),
    (select count(*) from pg_replication_slots), current_setting('max_replication_slots')::int,
    (select count(*) from pg_stat_replication), current_setting('max_wal_senders')::int
"""
SLOT_STATE = """
select active, wal_status, coalesce(pg_current_wal_lsn() - restart_lsn, 0)::bigint from pg_replication_slots where slot_name = %s
"""
PUBLISHED = "select schemaname || '.' || tablename from pg_publication_tables where pubname = %s"
IS_PUBLICATION = "select 1 from pg_publication where pubname = %s"
COLUMNS = """
select nspname || '.' || relname, relreplident, attname, format_type(atttypid, atttypmod)
from pg_class
inner join pg_namespace on pg_namespace.oid = relnamespace
inner join pg_attribute on attrelid = pg_class.oid
where nspname || '.' || relname = any(%s) and attnum > 0 and not attisdropped
"""
ROLE_ATTRIBUTES = "select rolcanlogin, rolreplication, rolsuper from pg_roles where rolname = %s"
OUR_RIGHTS = {
    "enrichment.cdc_heartbeat": ("select", "insert", "update"),
    "enrichment.cdc_signal": ("select", "insert", "delete"),
}
TABLE_RIGHT = "select has_table_privilege(%s, %s, %s)"
READABLE = """
select attname
from pg_attribute
where attnum > 0 and not attisdropped and has_column_privilege(%s::name, attrelid, attnum, 'select') and attrelid = %s::regclass
"""
WRITES = "insert, update, delete, truncate"
REVISION = "select version_num from cx_schema_version"
HEARTBEAT = "select extract(epoch from clock_timestamp() - max(beat_at))::float from enrichment.cdc_heartbeat"
READER = """
select
    rolcanlogin,
    (
        select array_agg(nspname::text order by nspname)
        from pg_namespace
        where
            nspname in ('landing', 'ops', 'staging', 'intermediate', 'build')
            and has_schema_privilege('bi_reader', oid, 'usage')
    ),
    (
        select array_agg('marts.' || relname order by relname)
        from pg_class
        where relnamespace = to_regnamespace('marts') and relkind in ('r', 'p')
            and has_table_privilege('bi_reader', pg_class.oid, 'insert, update, delete, truncate')
    ),
    to_regnamespace('marts') is not null and has_schema_privilege('bi_reader', 'marts', 'usage')
from pg_roles
where rolname = 'bi_reader'
"""


def store_facts(
    connection: psycopg.Connection[Any], policy: DriftPolicy, captured: Mapping[str, Relation] = RELATIONS
) -> StoreFacts:
    """Everything the store's checks need, of the tables that are captured. The connection commits each statement."""
    names = {relation.store: table for table, relation in captured.items()}
    version, wal_level, slots, most_slots, senders, most_senders = _one(connection, SERVER)
    slot = connection.execute(SLOT_STATE, [SLOT]).fetchone()
    is_published = connection.execute(IS_PUBLICATION, [PUBLICATION]).fetchone()
    published = frozenset(name for (name,) in connection.execute(PUBLISHED, [PUBLICATION]))
    tables: dict[str, dict[str, str]] = {}
    identities: dict[str, str] = {}
    for store_name, identity, column, column_type in connection.execute(COLUMNS, [list(names)]):
        table = names[store_name]
        tables.setdefault(table, {})[column] = column_type
        identities[table] = identity
    role = connection.execute(ROLE_ATTRIBUTES, [ROLE]).fetchone()
    lacking, extra = _rights(connection, captured, tables) if role else ((), ())
    return StoreFacts(
        version, wal_level, (slots, most_slots), (senders, most_senders), Slot(*slot) if slot else None,
        published if is_published else None, identities, tables, (role[0], role[1]) if role else None, lacking,
        _value(connection, HEARTBEAT), _value(connection, REVISION), (*extra, *(["everything"] if role and role[2] else [])),
        {table: _refused(table, columns, policy) for table, columns in tables.items()}, captured,
    )  # fmt: skip


def warehouse_facts(connection: psycopg.Connection[Any]) -> WarehouseFacts:
    """Everything the warehouse's checks need."""
    version = _value(connection, "select current_setting('server_version_num')::int")
    row = connection.execute(READER).fetchone()
    if row is None:
        return WarehouseFacts(version, _value(connection, REVISION), None)
    may_log_in, reaches, writes, reads = row
    return WarehouseFacts(version, _value(connection, REVISION), may_log_in, reads, tuple(reaches or ()), tuple(writes or ()))


def clock(connection: psycopg.Connection[Any]) -> Clock:
    """The server's clock against this machine's: the best of five questions."""
    return min((_ask_clock(connection) for _ in range(5)), key=lambda one: one.uncertainty)


def newest_revision(migrations: Path) -> str:
    """The head of a folder of Alembic revisions."""
    config = Config()
    config.set_main_option("script_location", str(migrations))
    return ScriptDirectory.from_config(config).get_current_head() or "none"


def _ask_clock(connection: psycopg.Connection[Any]) -> Clock:
    began, asked = time.perf_counter(), datetime.now(UTC)
    (there,) = _one(connection, "select clock_timestamp()")
    half = (time.perf_counter() - began) / 2
    return Clock((there - asked).total_seconds() - half, half)


def _rights(
    connection: psycopg.Connection[Any], captured: Mapping[str, Relation], tables: Mapping[str, Mapping[str, str]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the capture role may not do though it must, and may do though it need not."""
    lacking, extra = [], []
    for name, rights in OUR_RIGHTS.items():
        if _value(connection, "select to_regclass(%s)", name) is not None:
            lacking += [f"{right} {name}" for right in rights if not _value(connection, TABLE_RIGHT, ROLE, name, right)]
    for table in tables:
        relation = captured[table]
        needed = set(relation.own.columns if relation.own else tables[table])
        readable = {column for (column,) in connection.execute(READABLE, [ROLE, relation.store_sql])}
        lacking += [f"select {relation.store}"] if needed - readable else []
        extra += [f"read {relation.store}.{column}" for column in sorted(readable - needed)]
        extra += [f"write {relation.store}"] if _value(connection, TABLE_RIGHT, ROLE, relation.store_sql, WRITES) else []
    schemas = {"enrichment", *(captured[table].store.partition(".")[0] for table in tables)}
    for schema in sorted(schemas):
        if not _value(connection, "select has_schema_privilege(%s, to_regnamespace(quote_ident(%s)), 'usage')", ROLE, schema):
            lacking.append(f"use schema {schema}")
    return tuple(lacking), tuple(extra)


def _refused(table: str, columns: Mapping[str, str], policy: DriftPolicy) -> frozenset[str]:
    unknown = set(columns) - set(RELATIONS[table].columns) - {"updated_at"}
    refusing = {Action.QUARANTINE, Action.STOP}
    return frozenset(one for one in unknown if policy.action(Difference(table, Kind.UNKNOWN_COLUMN, one)) in refusing)


def _one(connection: psycopg.Connection[Any], query: str) -> tuple[Any, ...]:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None  # noqa: S101  # these queries have one row
    return tuple(row)


def _value(connection: psycopg.Connection[Any], query: str, *parameters: object) -> Any:
    """The one value of a query; None when there is no row or no such table."""
    try:
        row = connection.execute(query.encode(), parameters or None).fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    return row[0] if row else None
