"""What each answer of Slack leads to."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.alerts.retry import (
    BROKEN,
    BROKEN_PAUSE,
    DELIVERED,
    LONGEST_PAUSE,
    PLAIN,
    REFUSED,
    RETRY,
    Answer,
    asked_pause,
    judge,
    pause,
)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (Answer(200, "ok"), DELIVERED),
        (Answer(400, "invalid_blocks"), PLAIN),
        (Answer(403, "action_prohibited"), BROKEN),
        (Answer(404, "no_active_hooks"), BROKEN),
        (Answer(410, "channel_is_archived"), BROKEN),
        (Answer(302, ""), BROKEN),
        (Answer(429, "rate_limited", "7"), RETRY),
        (Answer(500, "rollup_error"), RETRY),
        (Answer(503, ""), RETRY),
        (Answer(0, "no connection"), RETRY),
        (Answer(0, "no answer", may_have_arrived=True), RETRY),
    ],
)
def test_each_answer_has_its_consequence(answer: Answer, result: str) -> None:
    """The table of the module's docstring, row by row."""
    assert judge(answer, 0, is_plain=False, chance=0.5, now=NOON).result == result


def test_the_plain_form_is_tried_once() -> None:
    """A 400 to the plain form ends the letter instead of looping."""
    assert judge(Answer(400, "invalid_payload"), 0, is_plain=True, chance=0.5, now=NOON).result == REFUSED


def test_what_may_have_arrived_is_repeated_soon_once_and_then_slowly() -> None:
    """After a lost answer the first retry is quick and marked; later ones wait a quarter of an hour each."""
    lost = Answer(0, "no answer", may_have_arrived=True)
    first, second = (judge(lost, failures, is_plain=False, chance=0.5, now=NOON) for failures in (0, 1))
    assert first.may_have_arrived
    assert first.pause <= timedelta(seconds=1)
    assert second.pause == BROKEN_PAUSE


@given(st.integers(0, 10**6), st.floats(0, 1))
def test_pauses_grow_and_stay_within_bounds(failures: int, chance: float) -> None:
    """Every pause lies between half a second and five minutes."""
    assert timedelta(seconds=0.5) <= pause(failures, chance) <= LONGEST_PAUSE


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0", 1),
        ("999999999999", 3600),
        (None, 30),
        ("soon", 30),
        ("-5", 30),
        ("²", 30),
        ("Tue, 24 Nov 2026 12:02:00 GMT", 120),
    ],
)
def test_retry_after_is_obeyed_within_reason(header: str | None, seconds: int) -> None:
    """Seconds and dates are read; nonsense means 30 s, and nothing means more than an hour."""
    assert asked_pause(header, NOON) == timedelta(seconds=seconds)
