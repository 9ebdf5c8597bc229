"""The rules of objectives: pure, times are arguments.

An objective is met at a moment when its value is at most its target. Its goal is the share of the window's time in which
it has to be met; the rest is its error budget. The burn rate is how many times faster than evenly the budget is spent
(Site Reliability Workbook, chapter 5). Time that was not measured is not counted as bad, and windows always count whole:
a young installation is not judged by its first two samples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

SEVERITIES = ("critical", "warning")  # falling


@dataclass(frozen=True)
class BurnAlert:
    """Fires when the budget burns at least at `rate` over both windows: the long one for weight, the short one to end soon."""

    severity: str
    long: timedelta
    short: timedelta
    rate: float


@dataclass(frozen=True)
class Objective:
    """One promise. `query` is SQL for the sources warehouse and store, and the name of a measure for kafka."""

    name: str
    title: str
    unit: str
    target: float
    goal: float
    window: timedelta
    source: str
    query: str
    owner: str
    remedy: str


@dataclass(frozen=True)
class Promises:
    """A whole objectives file."""

    every: timedelta
    slice: timedelta
    samples_kept: timedelta
    slices_kept: timedelta
    repeat: timedelta
    burn_alerts: tuple[BurnAlert, ...]
    objectives: tuple[Objective, ...]

    @property
    def windows(self) -> tuple[timedelta, ...]:
        """Every window that a burn rate is taken over, shortest first."""
        return tuple(sorted({length for alert in self.burn_alerts for length in (alert.long, alert.short)}))


@dataclass(frozen=True)
class Budget:
    """The error budget of one window, in seconds of not being met."""

    allowed_seconds: float
    spent_seconds: float

    @property
    def left_share(self) -> float:
        """1: untouched; 0: used up; below 0: overdrawn by that share."""
        return 1 - self.spent_seconds / self.allowed_seconds

    @property
    def is_met(self) -> bool:
        """The objective holds over its window while the budget is not overdrawn."""
        return self.spent_seconds <= self.allowed_seconds


@dataclass(frozen=True)
class Told:
    """What the outbox heard last of an objective."""

    state: str
    severity: str
    at: datetime


def is_bad(value: float | None, target: float) -> bool:
    """Whether a moment counts against the budget. None: the source did not answer, so the promise cannot be shown to hold."""
    return value is None or value > target


def budget(objective: Objective, bad_seconds: float) -> Budget:
    """The budget of the objective's window of which `bad_seconds` are spent."""
    return Budget((1 - objective.goal) * objective.window.total_seconds(), bad_seconds)


def burn_rate(bad_seconds: float, window: timedelta, goal: float) -> float:
    """1: at this rate the budget lasts exactly as long as its window."""
    return bad_seconds / window.total_seconds() / (1 - goal)


def burning(rates: Mapping[timedelta, float], alerts: Sequence[BurnAlert]) -> BurnAlert | None:
    """The most severe alert whose two windows both burn too fast; None when there is none."""
    firing = (alert for alert in alerts if min(rates.get(alert.long, 0.0), rates.get(alert.short, 0.0)) >= alert.rate)
    return min(firing, key=lambda alert: SEVERITIES.index(alert.severity), default=None)


def news(alert: BurnAlert | None, told: Told | None, now: datetime, repeat: timedelta) -> str | None:
    """What to write to the outbox: `firing`, `ok`, or None for nothing new.

    A firing objective is told when it starts, when its severity changes, and again every `repeat`.
    """
    was_firing = told is not None and told.state == "firing"
    if alert is None:
        return "ok" if was_firing else None
    if told is None or not was_firing or told.severity != alert.severity:
        return "firing"
    return "firing" if now - told.at >= repeat else None
