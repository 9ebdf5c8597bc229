"""One cycle: landing gate, dbt, candidates gate, one transaction. Whatever happens, it ends as one outcome.

published   the marts changed, whole
held        the data is not fit: the marts stay as they are, landing goes on, the window grows until it is
error       it could not be done or could not be checked: nothing changed, the next cycle tries again
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

import psycopg
from psycopg import Connection

from expectations.gate import memory
from expectations.gate.gate import Review
from expectations.gate.run import CouldNotCheck
from expectations.gate.suites import Check
from expectations.gate.verdict import CheckResult, Verdict, judge
from expectations.policy import Policy, PolicyError, Timing
from expectations.publish import catalog, record, transaction
from expectations.publish.shape import Mart
from expectations.publish.transaction import Published, TryAgain, Unpublishable
from expectations.publish.transform import TransformError
from expectations.window import Window

BUILDS_PER_CYCLE = 3  # the first, and one after each time that candidates had to be held
MAINTAINER = "data-platform"


class Builder(Protocol):
    """What turns landing into candidates (dbt)."""

    def marts(self) -> list[Mart]: ...
    def run(self) -> None: ...


class Reviewer(Protocol):
    """What judges (the gate)."""

    def policy(self) -> Policy: ...
    def review(self, connection: Connection, suite_name: str, window: Window, marts: Sequence[Mart], now: datetime) -> Review: ...
    def document(self, failed: Sequence[str], run_name: str) -> dict[str, str]: ...


@dataclass(frozen=True)
class Outcome:
    """What came of a cycle. `seen` is the landing snapshot that it looked at."""

    result: Literal["published", "held", "error"]
    message: str = ""
    gate_result: str = ""
    seen: str | None = None
    published: Published | None = None
    checks: Mapping[str, str] = field(default_factory=dict)
    stage_seconds: Mapping[str, float] = field(default_factory=dict)


CAN_RUN = Check(
    suite="cycle",
    name="can_run",
    type="",
    kwargs={},
    severity="critical",
    owner=MAINTAINER,
    meaning="a publish cycle could not run",
    remedy="Read the reason. It is tried again by itself, and at once by `cx publish`; `cx status` tells which part is down.",
    runbook="publish-cannot-run",
)
MARTS_FIT = Check(
    suite="cycle",
    name="marts_fit",
    type="",
    kwargs={},
    severity="critical",
    owner=MAINTAINER,
    meaning="the candidates do not fit the published tables",
    remedy="Correct the model, or change the published table by hand; the sentence says which column.",
    runbook="candidates-do-not-fit",
)


class Stages:
    """Measures the stages of a cycle and announces each before it begins."""

    def __init__(self, announce: Callable[[str], None]) -> None:
        self._announce = announce
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self._announce(name)
        begun = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - begun, 3)


class Cycle:
    """The parts that a cycle needs, bound together for the life of the process."""

    def __init__(
        self, connection: Connection, builder: Builder, gate: Reviewer, announce: Callable[[str], None] = lambda stage: None
    ) -> None:
        self._connection = connection
        self._builder = builder
        self._gate = gate
        self._announce = announce
        self._undocumented = 0
        self._timing = Timing()

    def run(self) -> Outcome:
        """Run one cycle and record what came of it."""
        attempt = Attempt(self._connection, self._builder, self._gate, Stages(self._announce), self._timing)
        try:
            self._timing = attempt.timing = self._gate.policy().timing
            return attempt.publish(self._document)
        except Unpublishable as error:
            misfit = CheckResult(MARTS_FIT, "failed", 1, str(error))
            return attempt.conclude("held", str(error), [misfit], self._document)
        except (TryAgain, TransformError, PolicyError, CouldNotCheck, psycopg.Error) as error:
            reason = " ".join(str(error).split())[:600] or type(error).__name__
            return attempt.conclude("error", reason, [CheckResult(CAN_RUN, "error", 1, reason)], self._document)

    def _document(self, results: Sequence[CheckResult], now: datetime) -> dict[str, str]:
        """Data Docs for the alerts that will name them, and now and then: publishing waits for the pages."""
        suites = {result.check.suite for result in results if result.check.suite != "cycle"}
        repeat = timedelta(seconds=self._timing.repeat_alert_seconds)
        told = memory.suites_to_be_told(self._connection, results, now, repeat) & suites
        self._undocumented += 1
        if told or self._undocumented >= self._timing.docs_every_cycles:
            self._undocumented = 0
            return self._gate.document(sorted(told or suites), f"{now:%Y%m%dT%H%M%S.%fZ}")
        return {}


Documenter = Callable[[Sequence[CheckResult], datetime], dict[str, str]]


class Attempt:
    """One run through the stages; collects results as they come, so that however it ends they are recorded."""

    def __init__(self, connection: Connection, builder: Builder, gate: Reviewer, stages: Stages, timing: Timing) -> None:
        self._connection, self._builder, self._gate, self._stages = connection, builder, gate, stages
        self.timing = timing
        self.started_at = datetime.now(UTC)
        self.results: list[CheckResult] = []
        self.window: Window | None = None

    def publish(self, document: Documenter) -> Outcome:
        """Go through all stages, or end at the first verdict that holds."""
        with self._stages("landing gate"):
            marts = self._builder.marts()
            verdict = self._check_landing(marts)
        if verdict.publishes:
            verdict = self._build(marts)
        if not verdict.publishes:
            return self.conclude("held" if verdict.decision == "held" else "error", verdict.sentence, [passed(CAN_RUN)], document)
        return self._change_marts(marts, verdict, document)

    def _check_landing(self, marts: Sequence[Mart]) -> Verdict:
        seen = catalog.published_snapshot(self._connection)
        self.window = Window(seen, catalog.current_snapshot(self._connection))
        review = self._gate.review(self._connection, "landing", self.window, marts, self.started_at)
        self.results += review.results
        memory.change_holds(self._connection, review.holds, review.releases)
        return judge(self.results)

    def _build(self, marts: Sequence[Mart]) -> Verdict:
        """Build and check candidates; again without the tickets that had to be held."""
        landing_results = list(self.results)
        for _ in range(BUILDS_PER_CYCLE):
            with self._stages("dbt"):
                self._builder.run()
            self.window = catalog.built_window(self._connection) or self.window
            assert self.window is not None  # noqa: S101 - set by the landing gate
            with self._stages("candidates gate"):
                review = self._gate.review(self._connection, "candidates", self.window, marts, self.started_at)
            self.results = [*landing_results, *review.results]
            if not review.holds or not judge(self.results).publishes:
                return judge(self.results)
            memory.change_holds(self._connection, review.holds, [])
        raise TryAgain("more candidates had to be held after every build")

    def _change_marts(self, marts: Sequence[Mart], verdict: Verdict, document: Documenter) -> Outcome:
        assert self.window is not None  # noqa: S101 - set by the landing gate
        with self._stages("plan"):
            changes = transaction.plan(self._connection, marts, self.window)
            transaction.prepare(self._connection, changes)
        results = [*self.results, passed(CAN_RUN), passed(MARTS_FIT)]
        pages = document(results, self.started_at)
        with self._stages("publish"):
            published = transaction.publish(
                self._connection,
                changes,
                self.window,
                gate=transaction.GateResult(verdict.decision, said(self.results)),
                remember=lambda published: self._record("published", verdict.sentence, results, pages, published),
            )
        return self._outcome("published", verdict.sentence, verdict.decision, published)

    def conclude(
        self, result: Literal["held", "error"], message: str, more: Sequence[CheckResult], document: Documenter
    ) -> Outcome:
        """Record a cycle that published nothing; a warehouse that does not answer is told by the next cycle."""
        results = [*self.results, *more]
        if not self._connection.broken and not self._connection.closed:
            pages = document(results, self.started_at)
            with self._connection.transaction():
                self._record(result, message, results, pages, None)
        return self._outcome(result, message, result, None)

    def _record(
        self,
        outcome: str,
        message: str,
        results: Sequence[CheckResult],
        pages: Mapping[str, str],
        published: Published | None,
    ) -> None:
        repeat = timedelta(seconds=self.timing.repeat_alert_seconds)
        memory.write_results(self._connection, results, self.started_at, repeat, pages)
        row = record.CycleRow(self.started_at, outcome, message, self.window, published, said(results), self._stages.seconds)
        record.write_cycle(self._connection, row, self.timing.cycles_kept_days)

    def _outcome(
        self, result: Literal["published", "held", "error"], message: str, gate: str, published: Published | None
    ) -> Outcome:
        seen = self.window.to_snapshot if self.window else None
        return Outcome(result, message, gate, seen, published, said(self.results), self._stages.seconds)


def note_failure(connection: Connection, reason: str, repeat: timedelta) -> None:
    """Put a failure of an earlier cycle, which found no warehouse to tell it to, into the outbox."""
    with connection.transaction():
        memory.write_results(connection, [CheckResult(CAN_RUN, "error", 1, reason)], datetime.now(UTC), repeat, {})


def passed(check: Check) -> CheckResult:
    return CheckResult(check, "passed")


def said(results: Sequence[CheckResult]) -> dict[str, str]:
    """Outcome by check id."""
    return {result.check.id: result.said for result in results}
