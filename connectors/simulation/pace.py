"""How many actions are due: a schedule from the start, so that a late tick is made up for and nothing drifts. Pure."""

TICK_SECONDS = 0.05
MOST_PER_TICK = 2000  # a store that cannot follow is not buried: what is missed in time stays missed


def due(elapsed: float, rate: float, duration: float, done: int) -> int:
    """Actions to do now.

    Args:
        elapsed: seconds since the start.
        rate: actions per second.
        duration: seconds in all; the schedule ends with `rate * duration` actions.
        done: actions done so far.
    """
    scheduled = int(rate * min(elapsed, duration) + 1e-9)
    return max(0, min(scheduled - done, MOST_PER_TICK))


def next_tick(elapsed: float) -> float:
    """Seconds from now to the next multiple of the tick."""
    return TICK_SECONDS - elapsed % TICK_SECONDS
