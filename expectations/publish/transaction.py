"""The one transaction that changes the marts, closes the window and says so; and the short ones that prepare for it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from psycopg import Connection, IsolationLevel, errors

from expectations.publish import catalog
from expectations.publish.differences import change_statement
from expectations.publish.shape import Alteration, Mart, Shape, alteration
from expectations.window import Window

LOCK_TIMEOUT = "300ms"  # the longest that a new column makes readers of a mart wait
LOCK_ATTEMPTS = 10


class Unpublishable(Exception):
    """The candidates cannot become the marts without a person's decision; the message is a sentence that says why."""


class TryAgain(Exception):
    """Nothing is wrong with the data: something was in the way this time; the message says what."""


@dataclass(frozen=True)
class Change:
    """One mart as it is to be changed."""

    mart: Mart
    candidate: Shape
    alteration: Alteration
    touched_columns: tuple[str, ...]

    @property
    def statement(self) -> str:
        return change_statement(self.mart, self.candidate.columns, self.touched_columns)


@dataclass(frozen=True)
class Published:
    """What a publish did. `rows_changed` per mart: {"inserted": n, "updated": n, "deleted": n}."""

    publication_id: int
    watermark: str | None
    rows_changed: Mapping[str, Mapping[str, int]]


def plan(connection: Connection, marts: Sequence[Mart], window: Window) -> list[Change]:
    """Compare every mart's shape with its candidate's.

    Raises:
        Unpublishable: a candidate is missing, or a difference would take something from readers.
    """
    changes, problems = [], []
    for mart in marts:
        candidate = catalog.shape_of(connection, "build", mart.name)
        if candidate is None:
            problems.append(f"{mart.name}: dbt did not build build.{mart.name}")
            continue
        altered = alteration(mart, candidate, catalog.shape_of(connection, "marts", mart.name))
        problems += altered.problems
        whole = altered.compare_whole or window.from_snapshot is None
        touched = () if whole else catalog.touched_columns(connection, mart)
        changes.append(Change(mart, candidate, altered, touched))
    if problems:
        raise Unpublishable("; ".join(problems))
    return changes


def prepare(connection: Connection, changes: Sequence[Change]) -> None:
    """Add new columns and relax old ones, each in a short transaction of its own that gives way to readers.

    Raises:
        TryAgain: a reader kept the table for longer than all attempts.
    """
    for change in changes:
        for statement in change.alteration.before:
            alter(connection, statement, change.mart)


def alter(connection: Connection, statement: str, mart: Mart) -> None:
    for _ in range(LOCK_ATTEMPTS):
        try:
            with connection.transaction():
                connection.execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'")
                connection.execute(statement.encode())
                return
        except errors.LockNotAvailable:
            continue
    raise TryAgain(f"a reader keeps marts.{mart.name} in a long transaction, its new columns wait for it")


@dataclass(frozen=True)
class GateResult:
    """What the gate said: `decision` is passed or warning, `checks` the outcome per check id."""

    decision: str
    checks: Mapping[str, str]


def publish(
    connection: Connection,
    changes: Sequence[Change],
    window: Window,
    *,
    gate: GateResult,
    remember: Callable[[Published], None],
) -> Published:
    """Change all marts by their differences, close the window and register the publication: all or nothing.

    Args:
        window: the window that was checked; if dbt has built another since, nothing is published.
        remember: called within the transaction, to write what must be true exactly when the publish is.

    Raises:
        TryAgain: build changed after it was checked.
        Unpublishable: two candidates share a key, or a key is null.
    """
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        with connection.transaction():
            if catalog.built_window(connection) != window:
                raise TryAgain("dbt built the candidates again after they were checked")
            rows_changed = {change.mart.name: apply(connection, change) for change in changes}
            published = register(connection, window, gate, rows_changed)
            connection.execute("update build.cycle_window set from_snapshot = to_snapshot")
            connection.execute("delete from ops.held_tickets where released_at is not null")
            remember(published)
        return published
    finally:
        if not connection.closed:
            connection.isolation_level = None


def apply(connection: Connection, change: Change) -> dict[str, int]:
    """Make one mart equal to its candidates."""
    try:
        for statement in change.alteration.within:
            connection.execute(statement.encode())
        counts = connection.execute(change.statement.encode()).fetchone() or (0, 0, 0)
    except (errors.UniqueViolation, errors.NotNullViolation) as error:
        key = ", ".join(change.mart.key)
        raise Unpublishable(f"{change.mart.name}: two candidates share a key ({key}) or a key is null: {error}") from error
    return dict(zip(("inserted", "updated", "deleted"), counts, strict=True))


REGISTER = """
insert into marts.publications (watermark, from_snapshot, to_snapshot, gate_result, checks, rows_changed)
select
    greatest((select watermark from marts.publications order by id desc limit 1), newest.landed_at),
    %(from)s::pg_snapshot, %(to)s::pg_snapshot, %(gate_result)s, %(checks)s, %(rows_changed)s
from ({newest}) as newest
returning id, watermark
"""
LANDING = ("ticket_signal_versions", "restated_tickets", "deleted_tickets", "tag_taxonomy", "accounts")  # all that changes marts


def register(
    connection: Connection, window: Window, gate: GateResult, rows_changed: Mapping[str, Mapping[str, int]]
) -> Published:
    """Write the publication's row and count its versions by hour of landing."""
    unions = " union all ".join(
        f"select max(landed_at) as at from landing.{name} as landed where {window.unseen('landed')}" for name in LANDING
    )
    values = {
        "from": window.from_snapshot,
        "to": window.to_snapshot,
        "gate_result": gate.decision,
        "checks": json.dumps(dict(gate.checks)),
        "rows_changed": json.dumps(rows_changed),
    }
    newest = f"select max(at) as landed_at from ({unions}) as landed"
    publication_id, watermark = connection.execute(REGISTER.format(newest=newest).encode(), values).fetchone() or (0, None)
    connection.execute(
        f"""
        insert into ops.landed_hours (hour, source_system, versions)
        select date_trunc('hour', landed.landed_at, 'UTC'), landed.source_system, count(*)
        from landing.ticket_signal_versions as landed
        where {window.unseen("landed")}
        group by 1, 2
        on conflict (hour, source_system) do update set versions = landed_hours.versions + excluded.versions
        """.encode()
    )
    return Published(publication_id, watermark.isoformat() if watermark else None, rows_changed)
