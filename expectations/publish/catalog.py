"""Reads the shapes of candidates and marts, and the cycle's window, from the database."""

from psycopg import Connection

from expectations.publish.shape import Column, Mart, Shape
from expectations.window import Window

COLUMNS = """
select
    attribute.attname,
    format_type(attribute.atttypid, attribute.atttypmod),
    attribute.attnotnull,
    col_description(attribute.attrelid, attribute.attnum)
from pg_attribute as attribute
where attribute.attrelid = to_regclass(%s)
    and attribute.attnum > 0
    and not attribute.attisdropped
order by attribute.attnum
"""
RELATION = """
select
    obj_description(to_regclass(%(relation)s), 'pg_class'),
    exists (select from pg_index where indrelid = to_regclass(%(relation)s) and indisprimary)
"""


def shape_of(connection: Connection, schema: str, name: str) -> Shape | None:
    """The shape of a table or view; None when there is none."""
    relation = f'"{schema}"."{name}"'
    columns = connection.execute(COLUMNS, [relation]).fetchall()
    if not columns:
        return None
    comment, has_primary_key = connection.execute(RELATION, {"relation": relation}).fetchone() or (None, False)
    return Shape(tuple(Column(*column) for column in columns), comment, has_primary_key)


def touched_columns(connection: Connection, mart: Mart) -> tuple[str, ...]:
    """The key columns that the mart's touched relation lists; none when it has no such relation."""
    touched = shape_of(connection, "build", mart.touched) if mart.touched else None
    return tuple(name for name in mart.key if touched and name in touched.names)


def built_window(connection: Connection) -> Window | None:
    """The window that dbt built last; None when it never ran here."""
    if not (connection.execute("select to_regclass('build.cycle_window')").fetchone() or [None])[0]:
        return None
    row = connection.execute("select from_snapshot::text, to_snapshot::text from build.cycle_window").fetchone()
    return Window(row[0], row[1]) if row and row[1] else None


def published_snapshot(connection: Connection) -> str | None:
    """The landing snapshot that the marts include; None when everything is still to be published."""
    if not (connection.execute("select to_regclass('build.cycle_window')").fetchone() or [None])[0]:
        return None
    row = connection.execute("select from_snapshot::text from build.cycle_window").fetchone()
    return row[0] if row else None


def current_snapshot(connection: Connection) -> str:
    """The database's snapshot now, as text."""
    row = connection.execute("select pg_current_snapshot()::text").fetchone()
    assert row is not None  # noqa: S101 - a select without a from clause has one row
    return str(row[0])
