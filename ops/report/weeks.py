"""ISO weeks, Monday to Sunday, in the zone whose days the marts count. Pure."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

THIS, LAST = "this", "last"


class WeekError(ValueError):
    """Not a week; the message says how one is written."""


@dataclass(frozen=True)
class Week:
    """Seven local days. `start` and `end` are moments, `end` excluded."""

    monday: date
    zone: ZoneInfo

    @property
    def start(self) -> datetime:
        return datetime.combine(self.monday, datetime.min.time(), self.zone)

    @property
    def end(self) -> datetime:
        return datetime.combine(self.monday + timedelta(days=7), datetime.min.time(), self.zone)

    @property
    def name(self) -> str:
        """As ISO 8601 writes it: 2026-W48."""
        return f"{self.monday:%G-W%V}"

    def until(self, now: datetime) -> datetime:
        """The end of the week, or now while it runs."""
        return min(self.end, now)


def parse(text: str, today: date, zone: ZoneInfo) -> Week:
    """`this`, `last`, or a week like 2026-W48.

    Raises:
        WeekError: anything else.
    """
    monday = today - timedelta(days=today.weekday())
    if text in (THIS, LAST):
        return Week(monday - timedelta(days=7) if text == LAST else monday, zone)
    found = re.fullmatch(r"(\d{4})-?[Ww](\d{1,2})", text)
    try:
        if found:
            return Week(date.fromisocalendar(int(found[1]), int(found[2]), 1), zone)
    except ValueError:
        pass
    raise WeekError(f"{text!r} is not a week: write it like {monday:%G-W%V}, or `this`, or `last`")
