"""Objectives in words: what a person reads in `cx status`, the report and an alert."""

from datetime import UTC, datetime, timedelta

import pytest

from ops.objectives import words
from ops.objectives.outlook import Standing
from ops.objectives.rules import BurnAlert, Objective, budget
from ops.objectives.samples import Sample, Spent

HOUR = timedelta(hours=1)
FAST = BurnAlert("critical", HOUR, HOUR / 12, 14.4)
LATENCY = Objective("p95", "Store to published", "seconds", 10, 0.99, timedelta(days=28), "warehouse", "", "data", "Look.")


def standing(value: float | None = 2.0, bad: float = 60.0, measured_days: float = 27.0) -> Standing:
    sample = Sample("p95", datetime(2026, 11, 24, tzinfo=UTC), value, value is None or value > 10)
    return Standing(
        LATENCY, sample, Spent(measured_days * 86_400, bad), budget(LATENCY, bad), {HOUR: 20.0, HOUR / 12: 20.0}, None
    )


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.93, "seconds", "1.9 s"),
        (75, "seconds", "75 s"),
        (720, "seconds", "12 min"),
        (18_000, "seconds", "5 h"),
        (28 * 86_400, "seconds", "28 d"),
        (512, "bytes", "512 B"),
        (3 * 1024**3, "bytes", "3 GiB"),
        (0.0123, "ratio", "1.2 %"),
        (3, "tickets", "3 tickets"),
    ],
)
def test_values_are_short_and_have_their_unit(value: float, unit: str, text: str) -> None:
    """No more digits than anybody reads."""
    assert words.amount(value, unit) == text


def test_what_is_met_says_how_much_is_left() -> None:
    """The newest value beside the target, and the budget."""
    assert words.standing(standing()) == "met; 2 s now, at most 10 s; 99.7 % of the budget left (60 s of 6.7 h spent)"


def test_a_value_above_the_target_is_said_even_while_the_objective_is_met() -> None:
    """Met is about the window, the value about now."""
    assert words.standing(standing(13)).startswith("met; 13 s now, above the 10 s promised;")
    assert words.standing(standing(None)).startswith("met; no answer now, at most 10 s;")


def test_a_day_old_installation_claims_no_28_days() -> None:
    """Until the window is nearly covered, what is met says how much of it was measured."""
    assert words.verdict(standing(measured_days=1)) == "met so far (24 h of 28 d measured)"
    assert words.verdict(standing(measured_days=26)) == "met so far (26 d of 28 d measured)"
    assert words.verdict(standing(measured_days=27)) == "met"
    assert words.verdict(standing(bad=36_000, measured_days=1)) == "UNMET"


def test_what_is_unmet_says_by_how_much() -> None:
    """The overdraft in time, and what to do."""
    problem = words.problem(standing(bad=36_000))

    assert problem == "objective p95 is unmet: budget overdrawn by 3.3 h (10 h of 6.7 h spent). Look."


def test_what_was_never_measured_is_not_called_met() -> None:
    """It shows the promise instead."""
    one = Standing(LATENCY, None, Spent(), budget(LATENCY, 0), {}, None)

    assert words.standing(one) == "not measured yet (at most 10 s for 99 % of 28 d)"


def test_an_alert_says_value_promise_and_when_the_budget_is_gone() -> None:
    """28 days at 20 times the even rate are a day and a half."""
    assert words.alarm(standing(13), FAST) == (
        "Store to published: 13 s now, promised at most 10 s for 99 % of 28 d. "
        "At the rate of the last hour the whole error budget is gone in 1 day 9 hours."
    )


def test_windows_are_written_as_prometheus_does() -> None:
    """The label of the burn-rate metric."""
    lengths = (timedelta(seconds=15), timedelta(minutes=5), HOUR, 6 * HOUR, timedelta(days=28))
    assert [words.window(length) for length in lengths] == ["15s", "5m", "1h", "6h", "28d"]
