"""Weeks as people write them, and the small words of the report."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.report import weeks
from ops.report.outcomes import NAMES, grown
from ops.report.page import MINUS, is_link, percent, signed
from ops.report.weeks import Week, WeekError

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = date(2026, 11, 24)


@given(st.dates(date(2000, 1, 3), date(2100, 1, 1)))
def test_every_week_is_read_back_as_it_is_named(day: date) -> None:
    """A week's name names that week, whatever the year's first days belong to."""
    week = weeks.parse("this", day, BERLIN)

    assert weeks.parse(week.name, TODAY, BERLIN) == week
    assert week.monday.weekday() == 0 and week.monday <= day < week.monday + timedelta(days=7)


def test_a_week_has_seven_local_days_also_when_the_clocks_change() -> None:
    """The week in which summer time ends has 169 hours."""
    week = weeks.parse("2026-W43", TODAY, BERLIN)

    assert week.end.astimezone(UTC) - week.start.astimezone(UTC) == timedelta(hours=169)
    assert week.until(datetime(2026, 10, 20, tzinfo=UTC)) == datetime(2026, 10, 20, tzinfo=UTC)


def test_last_is_the_week_before() -> None:
    """A report of Monday morning is about the week that ended."""
    assert weeks.parse("last", TODAY, BERLIN).name == "2026-W47"


@pytest.mark.parametrize("text", ["", "2026", "2026-W00", "2026-W54", "W47", "next", "2025-W53"])
def test_what_is_no_week_is_said(text: str) -> None:
    """The message shows how a week is written."""
    with pytest.raises(WeekError, match="2026-W48"):
        weeks.parse(text, TODAY, BERLIN)


@given(st.lists(st.lists(st.integers(0, 1000), min_size=6, max_size=6), min_size=1, max_size=8), st.booleans())
def test_growth_adds_up_to_the_last_counter(growth: list[list[int]], has_before: bool) -> None:
    """The days' differences sum to the last counters less those at the end of the week before."""
    week = Week(date(2026, 11, 16), BERLIN)
    totals, rows = dict.fromkeys(NAMES, 0), []
    for number, day in enumerate(growth, start=-1 if has_before else 0):
        totals = {name: totals[name] + more for name, more in zip(NAMES, day, strict=True)}
        rows.append({"day": week.monday + timedelta(days=number), **totals})

    before = rows[0] if has_before else dict.fromkeys(NAMES, 0)
    assert grown(rows, week).total == {name: totals[name] - before[name] for name in NAMES}


def test_only_all_is_a_hundred_percent() -> None:
    """Shares are rounded down."""
    assert [percent(share) for share in (1, 0.99999, 0.999, 0.0123, 0)] == ["100 %", "99.99 %", "99.9 %", "1.23 %", "0 %"]


def test_changes_carry_their_sign() -> None:
    """Plus, minus as long as the plus, or nothing."""
    assert [signed(value) for value in (1200, -3, 0)] == ["+1,200", f"{MINUS}3", "0"]


def test_only_web_addresses_become_links() -> None:
    """Evidence of another kind is shown as text."""
    addresses = ("https://e.example/1", "http://e.example", "javascript:alert(1)", "file:///x", "//e", "http://[", None)
    assert [is_link(address) for address in addresses] == [True, True, False, False, False, False, False]
