"""Times of an export become instants, or a reason."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.imports import times

END = datetime(2026, 11, 24, 12, tzinfo=UTC)
INSTANTS = st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1))  # noqa: DTZ001


@given(INSTANTS, st.integers(-14 * 60, 14 * 60))
def test_a_plain_format_reads_what_it_wrote(moment: datetime, minutes: int) -> None:
    """Writing a time with a format and reading it with the same format gives the same instant."""
    zone = datetime.strptime(f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}", "%z").tzinfo
    aware = moment.replace(tzinfo=zone)
    text = f"{aware.year:04}-{aware:%m-%d %H:%M:%S.%f %z}"
    assert times.reader(["%Y-%m-%d %H:%M:%S.%f %z"], None, "reject", END)(text) == aware


@pytest.mark.parametrize(
    ("form", "text", "instant"),
    [
        ("iso", "2026-11-24T10:00:00Z", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        ("%d.%m.%Y %H:%M", "24.11.2026 11:00", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        ("%b %d %Y %I:%M %p", "Nov 24 2026 11:00 AM", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        ("epoch_seconds", "1795514400", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        ("epoch_milliseconds", "1795514400000", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        ("age_seconds", "7200", END - timedelta(hours=2)),
    ],
)
def test_known_forms(form: str, text: str, instant: datetime) -> None:
    """Each form gives the instant it means, naive times in the mapping's zone."""
    assert times.reader([form], "Europe/Berlin", "reject", END)(text) == instant


@pytest.mark.parametrize(
    ("text", "reason"),
    [("2026-03-29T02:30:00", "does not exist"), ("2026-10-25T02:30:00", "exists twice"), ("tomorrow", "not a time")],
)
def test_doubtful_times_are_rejected(text: str, reason: str) -> None:
    """A time that a clock change skipped or repeated, or that is none, is rejected with its reason."""
    with pytest.raises(ValueError, match=reason):
        times.reader(["iso"], "Europe/Berlin", "reject", END)(text)


@pytest.mark.parametrize(
    ("text", "rule", "hour"),
    [
        ("2026-10-25T02:30:00", "earlier", "00:30"),
        ("2026-10-25T02:30:00", "later", "01:30"),
        ("2026-03-29T02:30:00", "earlier", "00:30"),
        ("2026-03-29T02:30:00", "later", "01:30"),
    ],
)
def test_clock_changes_follow_the_rule(text: str, rule: str, hour: str) -> None:
    """Of the two instants that a local time at a clock change may mean, the rule names one."""
    moment = times.reader(["iso"], "Europe/Berlin", rule, END)(text)
    assert f"{moment.astimezone(UTC):%H:%M}" == hour


def test_a_naive_time_without_a_zone_is_rejected() -> None:
    """Without `timezone:` a time that carries no zone is rejected, with the key to write."""
    with pytest.raises(ValueError, match="timezone"):
        times.reader(["iso"], None, "reject", END)("2026-11-24T10:00:00")
