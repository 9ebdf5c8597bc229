"""One run: every table compared, recorded, repaired when asked, verified again."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg

from ops.reconcile import gaps, record
from ops.reconcile.comparison import Comparison, CouldNotCompare, Settle, Sides, compare, look, open_sides, values
from ops.reconcile.gaps import Gap
from ops.reconcile.relations import Relation, relations
from ops.reconcile.repair import Repair, repair
from ops.reconcile.repair_plan import removals
from ops.reconcile.settled import NotSettled, Settling
from ops.reconcile.side import Identity
from ops.reconcile.verdicts import DIFFERENCES, Kind, Verdict
from stream.core.own_store import StoreMapping
from stream.kafka import KafkaAccess

REPAIR_SECONDS = 120.0
SAMPLES = 50  # differing rows whose values are shown
Say = Callable[[str], None]


class CouldNotRun(Exception):
    """Nothing can be said about store and warehouse; the message says why."""


@dataclass(frozen=True)
class Request:
    """What to compare and how far a repair may go."""

    store_url: str
    warehouse_url: str
    kafka: KafkaAccess
    tables: tuple[str, ...] = ()  # none: all that are captured
    repairs: bool = False
    remove_at_most: int = 100
    patience: float = 60.0
    mapping: StoreMapping = field(default_factory=dict)  # of a store with names of its own


@dataclass
class TableReport:
    """What was found in one table, and what was left after the repair. `found` is `left` when nothing was repaired."""

    found: Comparison
    left: Comparison
    gaps: list[Gap] | None  # None: the table has no versions
    repair: Repair | None = None
    refused: int = 0
    samples: dict[Identity, dict[str, tuple[Any, Any]]] = field(default_factory=dict)

    @property
    def repaired(self) -> int:
        return len(self.found.differences) - len(self.left.differences)


def run(request: Request, say: Say = lambda line: None, settle: Settle | None = None) -> list[TableReport]:
    """Compare all tables, one after the other. Raises CouldNotRun; what could be said until then is recorded."""
    captured = relations(request.mapping)
    wait = settle or Settling(request.store_url, request.warehouse_url, request.kafka, request.patience, captured).wait
    unknown = set(request.tables) - set(captured)
    if unknown:
        raise CouldNotRun(f"the store's mapping does not name {', '.join(sorted(unknown))}: nothing of it is captured")
    return [_run_table(request, captured[table], wait, say) for table in request.tables or captured]


def _run_table(request: Request, relation: Relation, settle: Settle, say: Say) -> TableReport:
    table = relation.table
    started_at = datetime.now(UTC)
    try:
        with open_sides(relation, request.store_url, request.warehouse_url) as sides:
            try:
                return _compare_and_repair(request, sides, settle, say, started_at)
            except (CouldNotCompare, NotSettled, psycopg.Error) as error:
                record.write_failure(sides.warehouse.connection, table, started_at, _sentence(error))
                raise
    except (CouldNotCompare, NotSettled, psycopg.Error) as error:
        raise CouldNotRun(f"{table}: {_sentence(error)}") from error


def _compare_and_repair(request: Request, sides: Sides, settle: Settle, say: Say, started_at: datetime) -> TableReport:
    warehouse = sides.warehouse.connection
    found = compare(sides, settle)
    report = TableReport(found, found, gaps.find(warehouse, gaps.dense_systems()) if sides.is_versioned else None)
    report.samples = values(sides, found.differences[:SAMPLES])
    record.write(warehouse, found, started_at, report.gaps)
    if request.repairs and found.differences:
        started_at = datetime.now(UTC)
        _repair(request, sides, settle, say, report)
        record.write(warehouse, report.left, started_at, report.gaps, report.repaired)
    return report


def _repair(request: Request, sides: Sides, settle: Settle, say: Say, report: TableReport) -> None:
    """Mend and look again until everything is right or the time is over."""
    wrong = report.found.differences
    ending = removals((one.identity for one in wrong if one.kind == Kind.EXTRA), request.remove_at_most)
    report.refused = len(ending.refused)
    allowed = set(ending.allowed)
    report.repair = repair(sides, wrong, may_end=allowed.__contains__)
    say(
        f"{sides.relation.table}: {len(report.repair.asked_for)} rows are read again from the store, {report.repair.taken_out}"
        f" altered rows were taken out, {len(report.repair.ended)} extra rows were ended; waiting until they have landed"
    )
    report.left = _verify(sides, settle, report.found)


def _verify(sides: Sides, settle: Settle, found: Comparison) -> Comparison:
    deadline = time.monotonic() + REPAIR_SECONDS
    others = [one for one in found.verdicts if one.kind not in DIFFERENCES]
    open_rows = {one.identity for one in found.differences}
    verdicts: dict[tuple[str, ...], Verdict] = {}
    while True:
        seen = look(sides, open_rows, settle)
        verdicts.update({one.identity: one for one in seen})
        open_rows = {one.identity for one in seen if one.kind in (*DIFFERENCES, Kind.IN_FLIGHT)}
        extra_only = all(verdicts[identity].kind == Kind.EXTRA for identity in open_rows)
        if extra_only or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    left = Comparison(found.table, [], found.store_rows, found.warehouse_rows, found.looked_from, found.is_truncated)
    left.verdicts = others + [one for one in verdicts.values() if one.kind != Kind.SAME]
    return left


def _sentence(error: Exception) -> str:
    """The first line of an error, without the statement it came from."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
