"""When the resident publisher works. No I/O, no clock."""

from dataclasses import dataclass
from typing import Literal

from expectations.policy import Timing


@dataclass(frozen=True)
class Situation:
    """What the loop knows at a tick.

    Attributes:
        last_result: of the newest cycle; None before the first.
        seconds_since_cycle: since it ended.
        errors_in_a_row: cycles that could not run, up to now.
        anything_new: something landed that the newest cycle did not see.
        files_changed: a model, a suite or the policy was edited since.
    """

    last_result: Literal["published", "held", "error"] | None
    seconds_since_cycle: float
    errors_in_a_row: int
    anything_new: bool
    files_changed: bool


def reason_to_run(situation: Situation, timing: Timing) -> str:
    """Why a cycle should run now; empty when it should not."""
    if situation.last_result is None:
        return "start"
    if situation.files_changed:
        return "files changed"
    if situation.last_result == "error":
        return "retry" if situation.seconds_since_cycle >= backoff(situation.errors_in_a_row, timing) else ""
    if situation.anything_new:
        return "new rows"
    if situation.last_result == "held" and situation.seconds_since_cycle >= timing.held_retry_seconds:
        return "retry"
    return "idle" if situation.seconds_since_cycle >= timing.idle_seconds else ""


def backoff(errors_in_a_row: int, timing: Timing) -> float:
    """Seconds to wait after so many cycles that could not run."""
    waits = timing.error_backoff_seconds or (0.0,)
    return waits[min(max(errors_in_a_row, 1), len(waits)) - 1]


def recycles(cycles: int, megabytes: float, timing: Timing) -> bool:
    """Whether the process should start afresh: it worked long, and it grew."""
    return cycles >= timing.recycle_after_cycles and megabytes >= timing.recycle_megabytes


def seconds_to_next_tick(now: float, started: float, every: float) -> float:
    """Ticks lie on a grid: those that passed during a long cycle are one tick, not a backlog."""
    return every - (now - started) % every
