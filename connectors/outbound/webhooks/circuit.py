"""A circuit per subscriber: one that keeps failing is left alone, then probed with one delivery. Pure.

closed     as many at once as the subscription allows
open       nobody until `rest_until`
half open  after that, one at a time, until one is delivered
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

OPENS_AFTER = 5  # failures in a row
FIRST_REST = timedelta(seconds=5)
LONGEST_REST = timedelta(minutes=10)
CLOSED, OPEN, HALF_OPEN = "closed", "open", "half open"


@dataclass(frozen=True)
class Circuit:
    """`failures` in a row; `opened_at`: since when it is not closed; `rest_until`: nobody before that (also Retry-After)."""

    failures: int = 0
    opened_at: datetime | None = None
    rest_until: datetime | None = None

    def state(self, now: datetime) -> str:
        """closed, open or half open."""
        if self.rest_until is not None and now < self.rest_until:
            return OPEN
        return CLOSED if self.opened_at is None else HALF_OPEN

    def room(self, now: datetime, concurrency: int, in_flight: int) -> int:
        """How many more attempts may begin now."""
        most = {CLOSED: concurrency, HALF_OPEN: 1, OPEN: 0}[self.state(now)]
        return max(0, most - in_flight)


def after_success(circuit: Circuit, now: datetime) -> Circuit:
    """Closed; but a Retry-After that is still running is kept."""
    rests = circuit.rest_until if circuit.opened_at is None and circuit.state(now) == OPEN else None
    return Circuit(rest_until=rests)


def after_failure(circuit: Circuit, rest_until: datetime | None, chance: float, now: datetime) -> Circuit:
    """One more failure. From the fifth in a row on it rests, longer each time; a Retry-After counts at once.

    Args:
        rest_until: what the subscriber asked for with Retry-After.
        chance: 0..1, spreads the rests between half and the whole.
    """
    if circuit.opened_at is not None and circuit.state(now) == OPEN and rest_until is None:
        return circuit  # began before it opened: nothing new
    failed = replace(circuit, failures=circuit.failures + 1)
    asked = max((one for one in (rest_until, circuit.rest_until) if one is not None), default=None)
    if failed.failures < OPENS_AFTER:
        return replace(failed, rest_until=asked)
    own = now + rest(failed.failures, chance)
    return replace(failed, opened_at=circuit.opened_at or now, rest_until=max(own, asked) if asked else own)


def rest(failures: int, chance: float) -> timedelta:
    """5 s, 10 s … 10 min, each cut by up to a half."""
    longest: timedelta = min(LONGEST_REST, FIRST_REST * float(2 ** min(max(failures - OPENS_AFTER, 0), 20)))
    return longest * (0.5 + chance / 2)
