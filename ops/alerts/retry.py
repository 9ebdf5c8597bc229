"""What an answer of Slack means. Pure: the decision comes back as a value.

delivered        200
wait, all        429 (as long as Retry-After says), 5xx, no connection, no answer in time
broken           403, 404, 410 and other 4xx: the webhook does not heal by itself; tried again slowly
simpler, refused 400 and 413: this letter does not suit; its plain form is tried once
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=5)
BROKEN_PAUSE = timedelta(minutes=15)
LONGEST_RETRY_AFTER = timedelta(hours=1)

DELIVERED, RETRY, BROKEN, PLAIN, REFUSED = "delivered", "retry", "broken", "plain", "refused"


@dataclass(frozen=True)
class Answer:
    """What came of one post. `status` 0: no answer; then `may_have_arrived` says whether the request had left."""

    status: int
    body: str = ""
    retry_after: str | None = None
    may_have_arrived: bool = False


@dataclass(frozen=True)
class Verdict:
    """What to do next: `result` for this letter, and how long its channel rests."""

    result: str
    pause: timedelta = timedelta(0)
    reason: str = ""
    may_have_arrived: bool = False


def judge(answer: Answer, failures: int, is_plain: bool, chance: float, now: datetime) -> Verdict:
    """Decide after one post.

    Args:
        failures: how often the channel failed in a row before this answer.
        is_plain: the letter was sent in its plain form already.
        chance: 0..1, spreads the retries.
    """
    reason = f"{answer.status} {answer.body.strip()[:200]}".strip() if answer.status else answer.body[:200]
    if answer.status == 200:
        return Verdict(DELIVERED)
    if answer.status == 429:
        return Verdict(RETRY, asked_pause(answer.retry_after, now), reason)
    if answer.status in (400, 413):
        return Verdict(REFUSED if is_plain else PLAIN, reason=reason)
    if 300 <= answer.status < 500 and answer.status != 408:
        return Verdict(BROKEN, BROKEN_PAUSE, reason)
    if answer.may_have_arrived and failures > 0:  # each further try may be one message more
        return Verdict(RETRY, max(pause(failures, chance), BROKEN_PAUSE), reason, True)
    return Verdict(RETRY, pause(failures, chance), reason, answer.may_have_arrived)


def pause(failures: int, chance: float) -> timedelta:
    """1 s, 2 s, 4 s … up to 5 min, each cut by up to a half at random."""
    longest: timedelta = min(LONGEST_PAUSE, FIRST_PAUSE * float(2 ** min(failures, 20)))
    return longest * (0.5 + chance / 2)


def asked_pause(retry_after: str | None, now: datetime) -> timedelta:
    """Retry-After in seconds or as a date; at least 1 s, at most 1 h, and 30 s when it cannot be read."""
    text = (retry_after or "").strip()
    try:
        is_seconds = text.isascii() and text.isdigit()
        asked = timedelta(seconds=int(text)) if is_seconds else parsedate_to_datetime(text).astimezone(UTC) - now
    except (ValueError, TypeError, OverflowError):
        asked = timedelta(seconds=30)
    return max(FIRST_PAUSE, min(asked, LONGEST_RETRY_AFTER))
