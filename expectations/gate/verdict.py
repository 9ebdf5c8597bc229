"""From results of checks to one verdict. No I/O."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from expectations.gate.suites import Check

Decision = Literal["passed", "warning", "held", "error"]


@dataclass(frozen=True)
class FailingRow:
    """One row behind a failed check. A check on a whole batch has neither system nor ticket."""

    source_system: str | None = None
    ticket_id: str | None = None
    field: str | None = None
    value: str | None = None
    evidence_url: str | None = None
    account_id: str | None = None


@dataclass(frozen=True)
class CheckResult:
    """What came of a check.

    Attributes:
        affected: number of failing rows.
        note: why a passed check did not apply, or why it could not run.
        rows: failing rows; all of them when the policy may hold them, otherwise a few.
    """

    check: Check
    outcome: Literal["passed", "failed", "error"]
    affected: int = 0
    note: str = ""
    rows: tuple[FailingRow, ...] = ()

    @property
    def said(self) -> str:
        """The outcome as publications record it."""
        return f"{self.outcome} ({self.note})" if self.note and self.outcome == "passed" else self.outcome


@dataclass(frozen=True)
class Verdict:
    """Whether the candidates may be published, and the sentence for whoever asks why not."""

    decision: Decision
    sentence: str = ""

    @property
    def publishes(self) -> bool:
        return self.decision in ("passed", "warning")


def judge(results: Iterable[CheckResult]) -> Verdict:
    """Decide on the worst that happened: could not be checked, a critical failure, a warning, nothing; info is only noted."""
    results = list(results)
    errors = [result for result in results if result.outcome == "error"]
    if errors:
        return Verdict("error", f"could not be checked: {names(errors)} ({errors[0].note})")
    failed = [result for result in results if result.outcome == "failed"]
    for severity, decision in (("critical", "held"), ("warning", "warning")):
        worst = [result for result in failed if result.check.severity == severity]
        if worst:
            return Verdict(decision, f"{severity}: {names(worst)}")  # type: ignore[arg-type]
    return Verdict("passed")


def names(results: Sequence[CheckResult]) -> str:
    """The first three checks by id, and how many more."""
    shown = ", ".join(result.check.id for result in results[:3])
    return f"{shown} and {len(results) - 3} more" if len(results) > 3 else shown


def outcome(check: Check, success: bool, error: str, batch_rows: int) -> tuple[Literal["passed", "failed", "error"], str]:
    """A single check's outcome and note: an exception is an error; an empty batch is what the check says it is."""
    if error:
        return "error", error
    if batch_rows == 0 and check.empty == "fails":
        return "failed", "nothing to check, and there should be"
    return ("passed" if success else "failed"), ""
