"""How long the relay waits before it looks again. No I/O."""

SHORTEST, LONGEST = 0.02, 0.25  # seconds: a change waits for at most the longest, and half of it on average
_GROWTH = 1.25
_RETRIES = (0.5, 1.0, 2.0, 5.0, 10.0)


def wait(before: float, found: bool) -> float:
    """Seconds to the next look: short while changes come, growing while none does."""
    return SHORTEST if found else min(LONGEST, before * _GROWTH)


def retry(failures: int) -> float:
    """Seconds after so many failures in a row."""
    return _RETRIES[min(max(failures, 1), len(_RETRIES)) - 1]
