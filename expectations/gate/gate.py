"""The gate as the cycle sees it: review a suite, say what to hold, write the pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from psycopg import Connection

from expectations import policy as policies
from expectations.gate import docs, memory, quarantine, suites
from expectations.gate.quarantine import Hold, Ticket
from expectations.gate.run import check_suite, gathered
from expectations.gate.validate import Validator
from expectations.gate.verdict import CheckResult
from expectations.policy import Policy
from expectations.publish.shape import Mart, quoted
from expectations.window import Window


@dataclass(frozen=True)
class Files:
    """Where the gate's files are, and where Data Docs go and are served (empty: file:// addresses)."""

    policy: Path = policies.DEFAULT_POLICY
    suites: Path = suites.SUITES
    docs: Path = Path("data_docs")
    docs_url: str = ""


@dataclass(frozen=True)
class Review:
    """A suite's results as they count for the verdict, and the tickets to hold or to release first."""

    results: tuple[CheckResult, ...]
    holds: tuple[Hold, ...] = ()
    releases: tuple[Ticket, ...] = ()


class Gate:
    """Great Expectations behind the policy."""

    def __init__(self, validator: Validator, files: Files) -> None:
        self._validator = validator
        self._files = files

    def policy(self) -> Policy:
        """The policy as the file says now."""
        return policies.load(self._files.policy)

    def files(self) -> list[tuple[str, int]]:
        """The policy and suite files that exist, with their modification times."""
        paths = (self._files.policy, *sorted(self._files.suites.glob("*.json")))
        return [(str(path), path.stat().st_mtime_ns) for path in paths if path.exists()]

    def review(self, connection: Connection, suite_name: str, window: Window, marts: Sequence[Mart], now: datetime) -> Review:
        """Check the suite's batch and decide which of its tickets are held or return.

        Raises:
            CouldNotCheck: the warehouse could not be asked.
            PolicyError: a file of the gate cannot be used.
        """
        policy = self.policy()
        suite = suites.load(self._files.suites / f"{suite_name}.json", placeholders(policy, window, marts))
        with gathered(connection, suite) as suite:
            checked = check_suite(connection, self._validator, suite, policy.quarantine.checks)
            may_hold = any(quarantine.may_hold(result, policy.quarantine) for result in checked.results)
            batch = memory.batch_tickets(connection, suite.batch) if may_hold else []
        held = memory.held_tickets(connection)
        holding = quarantine.hold(checked.results, batch, policy.quarantine)
        if suite_name == "landing":
            back = quarantine.released_from_landing(held, holding.holds) + quarantine.due_for_retry(held, now, policy.quarantine)
            return Review(holding.results, holding.holds, tuple(back))
        standing = memory.standing_holds(connection, suite_name)
        return Review(quarantine.with_standing(holding.results, standing), holding.holds)

    def document(self, failed: Sequence[str], run_name: str) -> dict[str, str]:
        """Build Data Docs of the suites' newest validations; answers addresses by suite."""
        results = {name: self._validator.results[name] for name in failed if name in self._validator.results}
        if not results:
            return {}
        pages = self.policy().timing.docs_pages
        return docs.build(
            self._validator.context,
            results,
            run_name=run_name,
            directory=self._files.docs,
            base_url=self._files.docs_url,
            pages=pages,
        )


def placeholders(policy: Policy, window: Window, marts: Sequence[Mart]) -> Mapping[str, float | str]:
    """What suites may name: thresholds, `window` (of rows aliased `landed`), `to_snapshot`, `touched.<mart>` (its keys)."""
    touched = {f"touched.{mart.name}": quoted("build", mart.touched) if mart.touched else whole(mart) for mart in marts}
    return {**policy.thresholds, "window": window.unseen("landed"), "to_snapshot": window.to_snapshot, **touched}


def whole(mart: Mart) -> str:
    """All keys of a mart that is compared whole."""
    return f"(select {', '.join(map(quoted, mart.key))} from {quoted('build', mart.name)})"
