"""What an answer means for a delivery. Pure: the decision comes back as a value.

done       2xx
gone       410: the subscriber wants nothing more; the subscription is disabled, the delivery waits
again      everything else, redirects and 4xx included: later, until the budget is used up
dead       the budget is used up: a dead letter
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(hours=1)
LONGEST_RETRY_AFTER = timedelta(hours=24)
THROTTLES = (429, 503)

DONE, GONE, AGAIN, DEAD = "done", "gone", "again", "dead"


@dataclass(frozen=True)
class Answer:
    """What came of one attempt. `status` 0: no answer, and `said` names why. Bodies are not kept: they may echo a payload."""

    status: int
    said: str = ""
    retry_after: str | None = None

    def __str__(self) -> str:
        return f"{self.status} {self.said}".strip() if self.status else self.said


@dataclass(frozen=True)
class Verdict:
    """What to do with the delivery, when to try again, and until when the whole subscriber asked to be left alone."""

    result: str
    not_before: datetime | None = None
    rest_until: datetime | None = None


def judge(
    answer: Answer, *, attempts: int, queued_at: datetime, give_up_after: timedelta, chance: float, now: datetime
) -> Verdict:
    """Decide after one attempt.

    Args:
        attempts: how often it was tried, this time included.
        queued_at: when the delivery began to wait; `give_up_after` that it is dead.
        chance: 0..1, spreads the retries.
    """
    if 200 <= answer.status < 300:
        return Verdict(DONE)
    if answer.status == 410:
        return Verdict(GONE)
    asked = asked_pause(answer.retry_after, now)
    rest_until = now + asked if asked is not None and answer.status in THROTTLES else None
    if now - queued_at >= give_up_after:
        return Verdict(DEAD, rest_until=rest_until)
    return Verdict(AGAIN, now + max(pause(attempts, chance), asked or timedelta(0)), rest_until)


def pause(attempts: int, chance: float) -> timedelta:
    """Full jitter: anything up to 5 s, 10 s, 20 s … 1 h (aws.amazon.com, "Exponential Backoff And Jitter")."""
    longest: timedelta = min(LONGEST_PAUSE, FIRST_PAUSE * float(2 ** min(max(attempts, 1) - 1, 20)))
    return longest * chance


def asked_pause(retry_after: str | None, now: datetime) -> timedelta | None:
    """Retry-After in seconds or as a date, at most a day; None when it is absent or cannot be read."""
    text = (retry_after or "").strip()
    try:
        is_seconds = text.isascii() and text.isdigit()
        asked = timedelta(seconds=int(text)) if is_seconds else parsedate_to_datetime(text).astimezone(UTC) - now
    except (ValueError, TypeError, OverflowError):
        return None
    return max(timedelta(0), min(asked, LONGEST_RETRY_AFTER))
