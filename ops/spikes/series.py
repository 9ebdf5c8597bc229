"""Counts of one driver per slot of fifteen minutes, with sums over any span in constant time. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import accumulate

SLOT_SECONDS = 900
HOUR, DAY, WEEK = 4, 96, 672  # in slots


def slot_of(moment: datetime) -> int:
    """The slot a moment lies in, counted from 1970."""
    return int(moment.timestamp()) // SLOT_SECONDS


def begin_of(slot: int) -> datetime:
    """When a slot begins."""
    return datetime.fromtimestamp(slot * SLOT_SECONDS, UTC)


class Series:
    """Counts of the slots `first` up to, not including, `end`; whatever lies outside counts nothing."""

    def __init__(self, counts: Mapping[int, int], first: int, end: int) -> None:
        self.first, self.end = first, max(first, end)
        self._sums = [0, *accumulate(counts.get(slot, 0) for slot in range(self.first, self.end))]

    def sum(self, begin: int, end: int) -> int:
        """The count of the slots from `begin` up to, not including, `end`."""
        low, high = (min(max(slot, self.first), self.end) - self.first for slot in (begin, end))
        return self._sums[high] - self._sums[low] if high > low else 0
