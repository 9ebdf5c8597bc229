"""Write a run down: ops.reconciliations with its differences, and the alert, in one transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from ops.reconcile.comparison import Comparison
from ops.reconcile.gaps import Gap
from ops.reconcile.verdicts import DIFFERENCES, Kind, Verdict

STORED_DIFFERENCES = 1000
OWNER = "data-platform"
REMEDY = "Run `cx reconcile --repair`; if rows stay different, `cx doctor` and `cx dead-letters list` say what keeps them out."
GAP_REMEDY = "The store holds only the newest version: ask the enrichment product for the others."

RECONCILIATION = """
insert into ops.reconciliations (table_name, started_at, outcome, message, store_rows, warehouse_rows, missing, extra, different,
    explained, dead_lettered, in_flight, version_gaps, repaired, verified_through, stage_seconds)
values (%(table)s, %(started_at)s, %(outcome)s, %(message)s, %(store_rows)s, %(warehouse_rows)s, %(missing)s, %(extra)s,
    %(different)s, %(explained)s, %(dead_lettered)s, %(in_flight)s, %(version_gaps)s, %(repaired)s, %(verified_through)s,
    %(stages)s)
returning reconciliation_id
"""
DIFFERENCE = "insert into ops.reconciliation_differences values (%s, %s, %s, %s, %s)"
FORGET = """
delete from ops.reconciliation_differences
where reconciliation_id in (select reconciliation_id from ops.reconciliations where finished_at < now() - interval '90 days')
"""
ALERT = """
insert into ops.alert_outbox (fingerprint, state, severity, owner, summary, details)
values (%(fingerprint)s, %(state)s, %(severity)s, %(owner)s, %(summary)s, %(details)s)
"""
LAST_STATE = "select state from ops.alert_outbox where fingerprint = %s order by alert_id desc limit 1"


def write(
    warehouse: psycopg.Connection[Any], result: Comparison, started_at: datetime, gaps: Sequence[Gap] | None, repaired: int = 0
) -> None:
    """Record one table's comparison; `repaired` rows of those found were mended in the same run, `gaps` None: not looked for."""
    is_equal = not result.differences
    values = {
        "table": result.table, "started_at": started_at, "outcome": "equal" if is_equal else "different", "message": "",
        "store_rows": result.store_rows, "warehouse_rows": result.warehouse_rows, "version_gaps": len(gaps or ()),
        "repaired": repaired, "verified_through": result.verified_through, "stages": Jsonb(result.stage_seconds),
        **{kind.value: result.of(kind) for kind in Kind if kind != Kind.SAME},
    }  # fmt: skip
    with warehouse.transaction():
        row = warehouse.execute(RECONCILIATION, values).fetchone()
        assert row is not None  # noqa: S101  # returning
        _write_differences(warehouse, row[0], result.verdicts)
        _alert_table(warehouse, result, repaired)
        if gaps:
            summary = f"{len(gaps)} holes in the versions of tickets: {gaps[0]}."
            details = {"affected": len(gaps), "remedy": GAP_REMEDY}
            _raise(warehouse, "reconcile:version_gaps", "warning", summary, details)
        elif gaps is not None:
            _over(warehouse, "reconcile:version_gaps", "No version is missing.")
        _over(warehouse, "reconcile:run", "The reconciliation runs again.")
        warehouse.execute(FORGET)


def write_failure(warehouse: psycopg.Connection[Any], table: str, started_at: datetime, message: str) -> None:
    """Record that a comparison could not be made."""
    nothing = {kind.value: 0 for kind in Kind if kind != Kind.SAME}
    values = {
        "table": table, "started_at": started_at, "outcome": "error", "message": message, "store_rows": None,
        "warehouse_rows": None, "version_gaps": 0, "repaired": 0, "verified_through": None, "stages": Jsonb({}), **nothing,
    }  # fmt: skip
    with warehouse.transaction():
        warehouse.execute(RECONCILIATION, values)
        summary = f"Store and warehouse could not be compared: {message}"
        _raise(warehouse, "reconcile:run", "warning", summary, {"remedy": "Run `cx doctor`."})


def _write_differences(warehouse: psycopg.Connection[Any], number: int, verdicts: Sequence[Verdict]) -> None:
    kept = [one for one in verdicts if one.kind in (*DIFFERENCES, Kind.IN_FLIGHT)][:STORED_DIFFERENCES]
    rows = [(number, list(one.identity), one.kind.value, one.reason, list(one.columns)) for one in kept]
    warehouse.cursor().executemany(DIFFERENCE, rows)


def _alert_table(warehouse: psycopg.Connection[Any], result: Comparison, repaired: int) -> None:
    fingerprint, found = f"reconcile:{result.table}", result.differences
    if not found:
        mended = f" after {repaired} rows were repaired" if repaired else ""
        _over(warehouse, fingerprint, f"{result.table}: the warehouse holds what the store holds{mended}.")
        return
    numbers = ", ".join(f"{result.of(kind)} {kind.value}" for kind in DIFFERENCES if result.of(kind))
    details = {"affected": len(found), "remedy": REMEDY, "runbook": "reconciliation", "rows": [_row(one) for one in found[:5]]}
    _raise(warehouse, fingerprint, "critical", f"{result.table}: the warehouse differs from the store ({numbers}).", details)


def _row(one: Verdict) -> dict[str, str]:
    """A row as alerts show it: which and in what, never the values."""
    system, ticket = one.identity if len(one.identity) == 2 else ("", one.identity[0])
    return {"source_system": system, "ticket_id": ticket, "field": ", ".join(one.columns), "value": one.kind.value}


def _raise(warehouse: psycopg.Connection[Any], fingerprint: str, severity: str, summary: str, details: dict[str, Any]) -> None:
    values = {"fingerprint": fingerprint, "state": "firing", "severity": severity, "owner": OWNER, "summary": summary}
    warehouse.execute(ALERT, {**values, "details": Jsonb(details)})


def _over(warehouse: psycopg.Connection[Any], fingerprint: str, summary: str) -> None:
    """Say that it is over, once."""
    last = warehouse.execute(LAST_STATE, [fingerprint]).fetchone()
    if last == ("firing",):
        values = {"fingerprint": fingerprint, "state": "ok", "severity": "info", "owner": OWNER, "summary": summary}
        warehouse.execute(ALERT, {**values, "details": Jsonb({})})
