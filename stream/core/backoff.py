"""How long to wait before the next attempt."""

FIRST_SECONDS, MOST_SECONDS = 0.2, 15.0


def backoff_seconds(attempt: int, chance: float) -> float:
    """Doubling from 0.2 s, at most 15 s; `chance` in [0, 1) takes off up to half, so that workers do not march in step."""
    return min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempt, 10)) * (1 - chance / 2)
