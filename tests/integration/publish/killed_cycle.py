"""Runs one cycle that kills itself (SIGKILL) at a named moment: python -m tests.integration.publish.killed_cycle URL MOMENT."""

import os
import signal
import sys

from expectations.publish import transaction
from tests.integration.publish.conftest import Warehouse

STAGES = ("landing gate", "dbt", "candidates gate", "plan", "publish")
MOMENTS = (*STAGES, "between two marts", "before the commit", "after the commit")


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(moment: str) -> None:
    """Put the kill where the moment is, when it is no stage's beginning."""
    if moment == "between two marts":
        apply = transaction.apply
        applied: list[object] = []

        def apply_or_die(*arguments: object) -> object:
            applied.append(die() if applied else apply(*arguments))  # type: ignore[arg-type]
            return applied[-1]

        transaction.apply = apply_or_die  # type: ignore[assignment]
    if moment == "before the commit":
        transaction.register = die  # type: ignore[assignment]
    if moment == "after the commit":
        publish = transaction.publish
        transaction.publish = lambda *arguments, **named: die(publish(*arguments, **named))  # type: ignore[assignment,func-returns-value]


if __name__ == "__main__":
    url, moment = sys.argv[1:]
    arm(moment)
    Warehouse(url).cycle(lambda stage: die() if stage == moment else None)
