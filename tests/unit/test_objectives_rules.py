"""Error budgets and burn rates: a blip wakes nobody, a lasting breach is told once, and its end too."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.objectives import file
from ops.objectives.rules import BurnAlert, Objective, Told, budget, burn_rate, burning, is_bad, news

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FAST = BurnAlert("critical", HOUR, 5 * MINUTE, 14.4)
SLOW = BurnAlert("warning", 6 * HOUR, 30 * MINUTE, 6.0)
WINDOWS = (5 * MINUTE, 30 * MINUTE, HOUR, 6 * HOUR)
EVERY = 15  # seconds

goals = st.floats(0.5, 0.9999)
# Whether each sample of the last six hours was bad, newest last.
histories = st.lists(st.tuples(st.integers(1, 400), st.booleans()), max_size=12).map(
    lambda runs: [bad for length, bad in runs for _ in range(length)][-1440:]
)


def objective(goal: float = 0.99) -> Objective:
    return Objective("o", "Title", "seconds", 10, goal, timedelta(days=28), "warehouse", "select 1", "data", "Mend it.")


def rates(history: list[bool], goal: float) -> dict[timedelta, float]:
    """Burn rates at the end of a history."""
    return {window: burn_rate(EVERY * sum(history[-int(window.total_seconds()) // EVERY :]), window, goal) for window in WINDOWS}


@given(goals, st.floats(0, 1e7))
def test_a_budget_is_met_exactly_until_it_is_used_up(goal: float, bad: float) -> None:
    """What is left is 1 untouched, 0 used up, negative overdrawn; met means not overdrawn."""
    one = budget(objective(goal), bad)

    assert one.is_met == (one.left_share >= 0) or one.left_share == pytest.approx(0)
    assert budget(objective(goal), 0).left_share == 1
    assert one.left_share == pytest.approx(1 - bad / ((1 - goal) * 28 * 86_400))


@given(goals)
def test_a_budget_that_burns_evenly_lasts_its_window(goal: float) -> None:
    """Burn rate 1 over the whole window spends exactly the budget."""
    one = objective(goal)

    assert burn_rate(budget(one, 0).allowed_seconds, one.window, goal) == pytest.approx(1)


@given(histories, goals)
def test_more_bad_time_never_burns_slower(history: list[bool], goal: float) -> None:
    """Turning a good sample bad lowers no rate, and never silences an alert."""
    worse = [True] * len(history)

    assert all(rates(worse, goal)[window] >= rates(history, goal)[window] for window in WINDOWS)
    assert burning(rates(history, goal), [FAST, SLOW]) is None or burning(rates(worse, goal), [FAST, SLOW])


@given(histories)
def test_an_alert_fires_only_for_a_lasting_and_present_breach(history: list[bool]) -> None:
    """With a goal of 99 % critical means 8.6 bad minutes of the last hour, some of them in the last five minutes."""
    alert = burning(rates(history, 0.99), [FAST, SLOW])
    if alert is FAST:
        assert sum(history[-240:]) * EVERY >= 0.144 * 3600
        assert any(history[-20:])


@given(st.integers(0, 33), st.integers(0, 1000))
def test_a_blip_wakes_nobody(bad: int, since: int) -> None:
    """One breach of up to eight minutes fires nothing, whenever one looks, even in an installation's first minutes."""
    history = [True] * bad + [False] * since

    assert burning(rates(history, 0.99), [FAST, SLOW]) is None


@given(st.lists(st.booleans(), min_size=1, max_size=300))
def test_an_alert_ends_soon_after_the_breach(history: list[bool]) -> None:
    """After five good minutes nothing critical fires, after thirty nothing at all."""
    assert burning(rates([*history, *[False] * 20], 0.99), [FAST]) is None
    assert burning(rates([*history, *[False] * 120], 0.99), [FAST, SLOW]) is None


def test_the_most_severe_alert_speaks() -> None:
    """When both pairs burn, the critical one is told."""
    assert burning(dict.fromkeys(WINDOWS, 20.0), [SLOW, FAST]) is FAST


@given(st.lists(st.sampled_from([None, FAST, SLOW]), max_size=40))
def test_every_firing_is_told_once_and_ended_once(course: list[BurnAlert | None]) -> None:
    """Over any course: firing and ok alternate but for changes of severity, and what is told last is what is true."""
    told: Told | None = None
    for step, alert in enumerate(course):
        at = NOW + step * MINUTE
        state = news(alert, told, at, repeat=HOUR)
        if state == "ok":
            assert told is not None and told.state == "firing"
            told = Told("ok", told.severity, at)
        elif state == "firing":
            assert alert is not None
            assert told is None or told.state == "ok" or told.severity != alert.severity
            told = Told("firing", alert.severity, at)
        assert (told is not None and told.state == "firing") == (alert is not None)


def test_an_alert_that_goes_on_renews_its_numbers() -> None:
    """The same alert is written again after the time to repeat, not before."""
    told = Told("firing", "critical", NOW)

    assert news(FAST, told, NOW + HOUR - MINUTE, HOUR) is None
    assert news(FAST, told, NOW + HOUR, HOUR) == "firing"


def test_no_answer_counts_as_bad_and_the_target_itself_as_good() -> None:
    """At most means at most; a source that does not answer proves nothing."""
    assert [is_bad(value, 10.0) for value in (None, 10.0, 10.1, 0.0)] == [True, False, True, False]


def test_the_published_objectives_are_readable_and_complete() -> None:
    """The file that comes with the project covers freshness, latency, lag, capture, dead letters and reconciliation."""
    promises = file.read()

    names = {one.name for one in promises.objectives}
    assert {"marts_freshness", "end_to_end_p95", "end_to_end_p99", "consumer_lag"} <= names
    assert {"heartbeat_age", "slot_retained", "dead_letter_share", "reconciliation_age"} <= names
    assert all(one.remedy and one.owner for one in promises.objectives)
    assert "{" not in "".join(one.query for one in promises.objectives)
