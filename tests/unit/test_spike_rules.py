"""When a count is a spike: baselines, scores, verdicts; and how well that works on simulated history."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.spikes import words
from ops.spikes.rules import (
    FIRES_AT,
    LEAST_COUNT,
    NEGATIVE,
    WINDOWS,
    Finding,
    History,
    Present,
    Scatter,
    count_score,
    expected_count,
    is_calm,
    judge,
    level,
    scatter,
    share_score,
)  # fmt: skip
from ops.spikes.series import DAY, HOUR, WEEK, Series, begin_of, slot_of
from tests.spikes import simulate

WEEKS = 8
END = WEEKS * WEEK
COUNTS = st.integers(0, 40)


def steady(per_slot: int, weeks: int = WEEKS, churning: int = 0) -> History:
    """A driver with the same counts in every slot."""
    slots = range(END - weeks * WEEK, END)
    tickets, negative, churn = (dict.fromkeys(slots, number) for number in (3 * per_slot, per_slot, churning))
    return History(*(Series(counts, slots[0], END) for counts in (tickets, negative, churn)))


@given(st.dictionaries(st.integers(0, 300), COUNTS, max_size=40), st.integers(-20, 320), st.integers(-20, 320))
def test_sums_of_any_span(counts: dict[int, int], begin: int, end: int) -> None:
    """A span's sum is the sum of its slots; what lies outside counts nothing."""
    series = Series(counts, 0, 300)

    assert series.sum(begin, end) == sum(number for slot, number in counts.items() if begin <= slot < end and slot < 300)


@given(st.floats(4e7, 4e9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)))
def test_a_moment_lies_in_its_slot(moment: datetime) -> None:
    """A slot begins at or before its moments and ends after them."""
    assert begin_of(slot_of(moment)) <= moment < begin_of(slot_of(moment) + 1)


@given(st.integers(1, 30), st.sampled_from(WINDOWS))
def test_a_steady_driver_is_expected_to_go_on(per_slot: int, width: int) -> None:
    """The baseline of a constant rate is that rate, and its level a week of it."""
    series = steady(per_slot).negative

    assert expected_count(series, END, width, 6) == pytest.approx(per_slot * width)
    assert level(series, END) == per_slot * WEEK


@given(st.integers(1, 6), st.integers(2, 50))
def test_an_old_spike_explains_nothing(week: int, factor: int) -> None:
    """One week's window may have been many times higher: the baseline rises by a seventh at most."""
    counts = dict.fromkeys(range(END), 5)
    for slot in range(END - week * WEEK - 2 * HOUR, END - week * WEEK + HOUR):
        counts[slot] = 5 * factor

    assert expected_count(Series(counts, 0, END), END, HOUR, 6) == pytest.approx(5 * HOUR, rel=1 / 7 + 0.001)


@given(COUNTS, COUNTS, st.floats(0, 200), st.integers(3, 6))
def test_more_is_less_ordinary(one: int, more: int, expected: float, weeks: int) -> None:
    """The score grows with the count and is nothing at what is expected."""
    assert count_score(one + more, expected, weeks) >= count_score(one, expected, weeks)
    assert count_score(expected, expected, weeks) == 0
    assert share_score(min(one, 40), 40, 0.3) <= share_score(40, 40, 0.3)


@given(st.integers(0, LEAST_COUNT - 1), st.integers(0, LEAST_COUNT - 1), st.integers(0, 5), st.sampled_from(WINDOWS))
def test_small_counts_are_never_a_spike(negative: int, churning: int, usual: int, width: int) -> None:
    """Whatever is usual: seven negative or churning tickets wake nobody."""
    present = Present(max(negative, churning) + 13, negative, churning)

    assert not any(one.is_spike for one in judge(steady(usual), Scatter(), present, END, width))


@given(st.integers(8, 500), st.sampled_from(WINDOWS))
def test_what_was_loaded_at_once_is_no_spike(negative: int, width: int) -> None:
    """A bulk load is not judged, however large."""
    present = Present(negative, negative, negative, most_at_once=negative // 2 + 1)

    assert judge(steady(1), Scatter(), present, END, width) == ()


def test_without_weeks_of_history_nothing_is_judged() -> None:
    """A driver must be known for three whole weeks and one for its level."""
    present = Present(600, 500, 400)

    assert judge(steady(1, weeks=3), Scatter(), present, END, HOUR) == ()
    assert judge(steady(1, weeks=4), Scatter(), present, END, HOUR) != ()


@given(st.floats(1, 5))
def test_a_driver_that_always_scatters_needs_more(noise: float) -> None:
    """The score shrinks by the factor by which ordinary windows scatter."""
    plain, wide = (judge(steady(5), one, Present(80, 60, 0), END, HOUR)[0].score for one in (Scatter(), Scatter(noise)))

    assert wide == pytest.approx(plain / noise)


def test_regular_days_do_not_count_as_scatter() -> None:
    """A strong daily pattern that repeats is explained whole."""
    counts = {slot: 20 if slot % DAY in range(36, 72) else 1 for slot in range(12 * WEEK)}
    series = Series(counts, 0, 12 * WEEK)

    assert scatter(History(series, series, series), 12 * WEEK).negative < 1.5


def test_a_spike_is_told_with_its_numbers() -> None:
    """The sentence has what was seen and what is usual; the details have the window, the scores and the evidence."""
    finding = Finding(NEGATIVE, 3, 42, 13.9, 7.2, 90)
    rows = [
        {"source_system": "zendesk", "ticket_id": "1", "field": "sentiment", "value": "negative", "evidence_url": "https://e/1"}
    ]
    details = words.details(finding, [finding], rows, datetime(2026, 11, 24, 15, tzinfo=UTC))

    assert (
        words.alarm("Billing", finding)
        == "Billing: 42 negative tickets in the last 3 hours; at this hour of the week 13.9 are usual."
    )
    assert details["since"] == "2026-11-24T12:00:00+00:00"
    assert details["extra"] == {"negative volume, 3 h": "42, usual 13.9, 7.2 deviations"}
    assert (details["rows"], details["affected"], details["runbook"]) == (rows, 42, "spikes")


def test_calm_means_that_everything_is_ordinary() -> None:
    """One metric that is still high keeps it open, and a window that cannot be judged says nothing."""
    calm, high = (Finding(NEGATIVE, 1, 9, 9, score, 20) for score in (1.0, FIRES_AT))

    assert is_calm([calm, calm])
    assert not is_calm([calm, high])
    assert not is_calm([])


def test_the_floors_of_the_readmes_table() -> None:
    """On simulated history: nearly every alert is right, large spikes are found within an hour or so, backfills tell nothing."""
    result = simulate(drivers=1, seed=7)
    large = [delay for level_ in (6.0, 20.0) for delay in result.found(5.0, level_)]
    delays = sorted(delay for delay in large if delay is not None)

    assert result.precision >= 0.9
    assert result.false_per_driver_month <= 0.75
    assert len(delays) >= 0.8 * len(large)
    assert delays[len(delays) // 2] <= 75
