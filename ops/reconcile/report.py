"""A run as JSON and as lines for a terminal. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

from ops.reconcile.comparison import Comparison
from ops.reconcile.run import TableReport
from ops.reconcile.verdicts import DIFFERENCES, Kind, Verdict

SHOWN = 20


def is_equal(reports: Sequence[TableReport]) -> bool:
    """Whether nothing differs, after a repair if there was one."""
    return not any(report.left.differences for report in reports)


def as_json(reports: Sequence[TableReport]) -> dict[str, Any]:
    """Everything, values of the first differing rows included."""
    return {"outcome": "equal" if is_equal(reports) else "different", "tables": [_table(report) for report in reports]}


def _table(report: TableReport) -> dict[str, Any]:
    left = report.left
    return {
        "table": left.table,
        "store_rows": left.store_rows,
        "warehouse_rows": left.warehouse_rows,
        **{kind.value: left.of(kind) for kind in Kind if kind != Kind.SAME},
        "verified_through": left.verified_through.isoformat() if left.verified_through else None,
        "repaired": report.repaired if report.repair else None,
        "not_removed": report.refused,
        "found": {kind.value: report.found.of(kind) for kind in DIFFERENCES},
        "is_truncated": report.found.is_truncated,
        "rows": [_verdict(one, report) for one in report.found.verdicts],
        "version_gaps": [
            {"source_system": gap.source_system, "ticket_id": gap.ticket_id, "after": gap.after, "before": gap.before}
            for gap in report.gaps or ()
        ],
        "stage_seconds": report.found.stage_seconds,
    }


def _verdict(one: Verdict, report: TableReport) -> dict[str, Any]:
    sample = report.samples.get(one.identity, {})
    columns = {name: _sides(sample.get(name)) for name in one.columns}
    return {"identity": list(one.identity), "kind": one.kind.value, "reason": one.reason, "columns": columns}


def _sides(pair: tuple[Any, Any] | None) -> dict[str, Any] | None:
    return None if pair is None else {"store": pair[0], "warehouse": pair[1]}


def as_lines(reports: Sequence[TableReport]) -> Iterator[str]:
    """What a person wants to read."""
    for report in reports:
        yield _headline(report.found)
        for one in report.found.verdicts[:SHOWN]:
            yield from _row_lines(one, report)
        if len(report.found.verdicts) > SHOWN:
            yield f"  ... and {len(report.found.verdicts) - SHOWN} more: --json lists them"
        yield from (f"  gap: {gap}" for gap in (report.gaps or ())[:SHOWN])
        if report.repair:
            yield f"  repaired {report.repaired} of {len(report.found.differences)}; now: {_counts(report.left)}"
        if report.refused:
            yield f"  {report.refused} extra rows were not removed: if the store is right, --remove-at-most {report.refused}"


def _headline(result: Comparison) -> str:
    seen = f"{result.table}: {result.store_rows} rows in the store, {result.warehouse_rows} in the warehouse"
    more = ", more than can be listed" if result.is_truncated else ""
    verified = f"; verified through {result.verified_through:%Y-%m-%d %H:%M:%S %Z}" if result.verified_through else ""
    return f"{seen}: {_counts(result)}{more}{verified}"


def _counts(result: Comparison) -> str:
    counts = [f"{result.of(kind)} {kind.value.replace('_', ' ')}" for kind in Kind if kind != Kind.SAME and result.of(kind)]
    return ", ".join(counts) or "equal"


def _row_lines(one: Verdict, report: TableReport) -> Iterator[str]:
    yield f"  {one.kind.value.replace('_', ' ')}: {' '.join(one.identity)}" + (f" ({one.reason})" if one.reason else "")
    for column, (store, warehouse) in report.samples.get(one.identity, {}).items():
        yield f"    {column}: {_short(store)} in the store, {_short(warehouse)} in the warehouse"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
