"""Answers from the register: what was published when, what the marts stood at, and what is held."""

from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

PUBLICATIONS = """
select id, at, watermark, gate_result, rows_changed, checks
from marts.publications
order by id desc
limit %s
"""
AS_OF = """
select id, at, watermark, gate_result, rows_changed, checks
from marts.publications
where at <= %s
order by id desc
limit 1
"""
CHANGED_BY = """
with changes as (
    select publications.id, publications.at, publications.watermark, mart.key as mart, mart.value as rows_changed
    from marts.publications as publications, jsonb_each(publications.rows_changed) as mart
    where publications.at <= %s
)
select distinct on (mart) mart, id as publication, at, rows_changed
from changes
where rows_changed <> '{"inserted": 0, "updated": 0, "deleted": 0}'
order by mart, id desc
"""
HELD = """
select
    source_system, ticket_id, scope, suite || ':' || check_name as check, reason,
    field, value, evidence_url, held_at, released_at
from ops.held_tickets
order by held_at desc, source_system, ticket_id
limit %s
"""
NEWEST_CYCLE = """
select outcome, message, started_at, finished_at, publication_id, stage_seconds
from ops.publish_cycles
order by cycle_id desc
limit 1
"""

Row = dict[str, Any]


def publications(connection: Connection, limit: int) -> list[Row]:
    """The newest publications, newest first."""
    return rows(connection, PUBLICATIONS, [limit])


def as_of(connection: Connection, moment: datetime) -> Row | None:
    """The publication that the marts stood at, and for each mart the one that last changed it. None: nothing was published."""
    found = rows(connection, AS_OF, [moment])
    return {**found[0], "marts": rows(connection, CHANGED_BY, [moment])} if found else None


def held(connection: Connection, limit: int) -> list[Row]:
    """Tickets that are kept out of the marts, and those that return with the next publish."""
    return rows(connection, HELD, [limit])


def newest_cycle(connection: Connection) -> Row | None:
    """What the newest cycle came to."""
    found = rows(connection, NEWEST_CYCLE, [])
    return found[0] if found else None


def rows(connection: Connection, query: str, values: list[object]) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), values).fetchall()
