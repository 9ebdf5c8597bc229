"""From results and what was known before to the alerts that go into the outbox. No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from expectations.gate.verdict import CheckResult

SHOWN_ROWS = 5


@dataclass(frozen=True)
class Known:
    """What is remembered of a check: its outcome, since when, and when the outbox last heard of it."""

    outcome: str
    severity: str
    since: datetime
    alerted_at: datetime | None


@dataclass(frozen=True)
class Alert:
    """A row of ops.alert_outbox."""

    fingerprint: str
    state: str
    severity: str
    owner: str
    summary: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Remembered:
    """A check's new memory, and the alert it gives rise to."""

    result: CheckResult
    since: datetime
    alerted_at: datetime | None
    alert: Alert | None


def remember(
    results: Iterable[CheckResult], known: Mapping[str, Known], now: datetime, repeat: timedelta, data_docs: Mapping[str, str]
) -> list[Remembered]:
    """Compare results with what was known: one alert when a check starts to fail, repeats now and then, one when it is over.

    Args:
        known: by check id.
        data_docs: address of the page per suite.
    """
    return [compare(result, known.get(result.check.id), now, repeat, data_docs.get(result.check.suite)) for result in results]


def compare(result: CheckResult, before: Known | None, now: datetime, repeat: timedelta, data_docs: str | None) -> Remembered:
    """One check's new memory."""
    was_bad = before is not None and before.outcome != "passed"
    is_bad = result.outcome != "passed"
    since = before.since if before and was_bad == is_bad else now
    alerted_at = before.alerted_at if before and was_bad else None
    if result.check.severity == "info" and result.outcome != "error":
        return Remembered(result, since, None, None)
    if not is_bad:
        return Remembered(result, since, None, over(result, now) if alerted_at else None)
    changed = before is None or (before.outcome, before.severity) != (result.outcome, result.check.severity)
    if changed or alerted_at is None or now - alerted_at >= repeat:
        return Remembered(result, since, now, firing(result, since, data_docs))
    return Remembered(result, since, alerted_at, None)


def fingerprint(result: CheckResult) -> str:
    return f"gate:{result.check.id}"


def firing(result: CheckResult, since: datetime, data_docs: str | None) -> Alert:
    """The alert of a check that fails or cannot run."""
    check = result.check
    details: dict[str, Any] = {
        "affected": result.affected,
        "since": since.isoformat(),
        "remedy": check.remedy,
        "runbook": check.runbook,
        "rows": [shown(row) for row in result.rows[:SHOWN_ROWS]],
        "extra": {"check": check.id, "outcome": result.outcome},
    }
    if data_docs:
        details["data_docs"] = data_docs
    severity = "critical" if result.outcome == "error" else check.severity
    return Alert(fingerprint(result), "firing", severity, check.owner, summary(result), details)


def over(result: CheckResult, now: datetime) -> Alert:
    """The alert that says a check passes again."""
    check = result.check
    return Alert(
        fingerprint(result), "ok", check.severity, check.owner, f"Passes again: {check.meaning}", {"extra": {"check": check.id}}
    )


def summary(result: CheckResult) -> str:
    """What happened, in one sentence."""
    if result.outcome == "error":
        return f"{result.check.id} could not be checked, nothing is published until it can: {result.note}"
    if result.note:
        return f"{result.check.meaning}: {result.note}"
    consequence = "the marts stay as they are" if result.check.severity == "critical" else "published all the same"
    return f"{result.check.meaning} ({consequence})"


def shown(row: Any) -> dict[str, str | None]:
    """A failing row as alerts carry it."""
    return {name: getattr(row, name) for name in ("source_system", "ticket_id", "field", "value", "evidence_url")}
