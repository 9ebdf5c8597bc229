"""The breaker: when nearly every recent record of ticket signals is rejected, a release is broken, not a row.

Conflicts and duplicates do not count: they are the rules at work. Neither does a burst of poison in a batch that is
mostly good. Once open, it opens again at the first rejection, until good records have closed it.
"""

from collections import deque
from collections.abc import Sequence

THRESHOLD, WINDOW = 25, 30


class Breaker:
    """A window over the newest records. Each record is told as True when it was rejected."""

    def __init__(self, was_open: bool = False) -> None:
        self.was_open = was_open
        self._recent: deque[bool] = deque([True] * (THRESHOLD - 1) if was_open else [], maxlen=WINDOW)

    def trips(self, rejected: Sequence[bool]) -> bool:
        """Whether landing these records would be part of a flood."""
        newest = [*self._recent, *rejected][-WINDOW:]
        return sum(newest) >= THRESHOLD and 2 * sum(rejected) >= len(rejected)

    def landed(self, rejected: Sequence[bool]) -> None:
        """Move over records that were landed."""
        self._recent.extend(rejected)

    @property
    def is_calm(self) -> bool:
        """Whether the window is full and mostly good."""
        return len(self._recent) == WINDOW and 2 * sum(self._recent) < WINDOW
