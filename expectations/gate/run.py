"""Runs one suite against the warehouse and answers with results that carry their failing rows."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import psycopg
from psycopg import Connection
from psycopg.rows import dict_row

from expectations.gate.failing_rows import COLUMNS, failing_rows_query
from expectations.gate.suites import Check, Suite
from expectations.gate.validate import Raw, Validator
from expectations.gate.verdict import CheckResult, FailingRow, outcome

SHOWN_ROWS = 5
HELD_ROWS = 100_000  # the most that one check can hold at once


class CouldNotCheck(Exception):
    """A suite's batch cannot be read, or not a single check could run; the message is the reason."""


@dataclass(frozen=True)
class Checked:
    """A suite's results and the number of rows of its batch."""

    results: tuple[CheckResult, ...]
    batch_rows: int


@contextmanager
def gathered(connection: Connection, suite: Suite) -> Iterator[Suite]:
    """The suite over a copy of its batch, so that the batch is put together once and not by every check.

    The copy is a table, unlogged and gone afterwards: Great Expectations reads it over a connection of its own.

    Raises:
        CouldNotCheck: the batch cannot be read, so no check of the suite means anything.
    """
    copy = f"build.batch_of_{suite.name}"
    connection.execute("create schema if not exists build")  # the first gate comes before the first build
    connection.execute(f"drop table if exists {copy}".encode())  # left by a process that was killed
    try:
        connection.execute(f"create unlogged table {copy} as {suite.batch}".encode())
    except psycopg.errors.ProgrammingError as error:
        raise CouldNotCheck(" ".join(str(error).split())) from error
    try:
        yield replace(suite, batch=f"select * from {copy}")
    finally:
        connection.execute(f"drop table if exists {copy}".encode())


def check_suite(connection: Connection, validator: Validator, suite: Suite, holdable: Collection[str] = ()) -> Checked:
    """Run every check of the suite that applies.

    Args:
        holdable: ids of checks whose failing rows are all wanted, because they may be held.

    Raises:
        CouldNotCheck: not a single check could run.
    """
    batch_rows = count(connection, suite.batch)
    waived = {check.name: result for check in suite.checks if (result := waive(connection, check))}
    rest = replace(suite, checks=tuple(check for check in suite.checks if check.name not in waived))
    raws = validator.run(rest)
    results = [
        result_of(connection, check, raws[check.name], batch=suite.batch, batch_rows=batch_rows, every_row=check.id in holdable)
        for check in rest.checks
    ]
    if results and all(result.outcome == "error" for result in results):
        raise CouldNotCheck(results[0].note)
    return Checked((*waived.values(), *results), batch_rows)


def count(connection: Connection, batch: str) -> int:
    """Rows of the batch."""
    row = connection.execute(f"select count(*) from ({batch}) as batch_rows".encode()).fetchone()
    return int(row[0]) if row else 0


def waive(connection: Connection, check: Check) -> CheckResult | None:
    """The result of a check that does not apply now, or None when it is to be run."""
    if not check.applies:
        return None
    try:
        row = connection.execute(check.applies.encode()).fetchone()
    except psycopg.errors.ProgrammingError as error:
        return CheckResult(check, "error", note=" ".join(str(error).split())[:300])
    return None if row and row[0] else CheckResult(check, "passed", note=check.otherwise)


def result_of(connection: Connection, check: Check, raw: Raw, *, batch: str, batch_rows: int, every_row: bool) -> CheckResult:
    """One check's result, with its failing rows."""
    came_of_it, note = outcome(check, raw.success, raw.error, batch_rows)
    if came_of_it != "failed" or note:
        return CheckResult(check, came_of_it, int(came_of_it == "failed"), note)
    rows = failing_rows(connection, check, batch, HELD_ROWS if every_row else SHOWN_ROWS)
    return CheckResult(check, "failed", max(raw.affected, len(rows)), "", rows)


def failing_rows(connection: Connection, check: Check, batch: str, limit: int) -> tuple[FailingRow, ...]:
    """The rows behind a failed check, at most `limit`."""
    query = failing_rows_query(check, batch)
    if not query:
        return ()
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(f"select * from ({query}) as failing limit {limit}".encode()).fetchall()
    return tuple(FailingRow(**{name: text(row.get(name)) for name in COLUMNS}) for row in rows)


def text(value: object) -> str | None:
    return None if value is None else str(value)
