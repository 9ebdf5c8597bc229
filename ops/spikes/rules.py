"""When a count is a spike. Pure: baseline per hour of the week, dispersion, score, verdict. Why so: DECISIONS.md, Spikes.

A window (one or three hours) is compared with the same window of the six weeks before, each at today's level. Scores are in
standard deviations of a Poisson count, widened by how much this driver's counts scatter in ordinary times.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import asin, sqrt
from statistics import median

from ops.spikes.series import DAY, HOUR, WEEK, Series

WINDOWS = (HOUR, 3 * HOUR)
WEEKS = 6
LEAST_WEEKS = 3
LEAST_COUNT = 8  # fewer negative or churning tickets are never a spike
LEAST_TICKETS = 20  # of a window whose share is judged
LEAST_RISE = 1.5  # times what is expected
LEAST_SHARE_RISE = 0.1
FIRES_AT, CALM_BELOW = 4.3, 2.5
CALM_LOOKS = 2
SHARE_PRIOR = 50  # tickets' worth of the driver's whole history in the expected share of an hour
SCATTER_SAMPLE = 2 * WEEK
NEGATIVE, CHURN = "negative volume", "churn share"


@dataclass(frozen=True)
class History:
    """One driver: tickets that occurred, and of them the negative ones and those with high churn risk."""

    tickets: Series
    negative: Series
    churning: Series


@dataclass(frozen=True)
class Present:
    """The live tickets of the window that ends now. `most_at_once`: of the negative or churning, landed within two minutes."""

    tickets: int
    negative: int
    churning: int
    most_at_once: int = 0

    @property
    def is_bulk(self) -> bool:
        """Loaded together rather than come in: more than half of what would be a spike landed at once."""
        return self.most_at_once * 2 > max(self.negative, self.churning)


@dataclass(frozen=True)
class Finding:
    """One metric of one window: what was seen, what the hour explains, how unlikely that is."""

    metric: str
    hours: int
    observed: float
    expected: float
    score: float
    tickets: int

    @property
    def is_spike(self) -> bool:
        if self.score < FIRES_AT:
            return False
        if self.metric == NEGATIVE:
            return self.observed >= LEAST_COUNT and self.observed >= LEAST_RISE * self.expected
        enough = self.tickets >= LEAST_TICKETS and self.observed * self.tickets >= LEAST_COUNT
        return enough and self.observed >= self.expected + LEAST_SHARE_RISE


@dataclass(frozen=True)
class Scatter:
    """By how much a driver's ordinary windows scatter more than chance, as a factor of the standard deviation, at least 1."""

    negative: float = 1.0
    churn: float = 1.0


def weeks_known(history: History, end: int) -> int:
    """How many whole weeks before `end` the history covers, at most six."""
    return min(WEEKS, max(0, (end - history.tickets.first) // WEEK - 1))


def judge(history: History, scatter: Scatter, present: Present, end: int, width: int) -> tuple[Finding, ...]:
    """Both metrics of the window of `width` slots that ends at slot `end`; nothing without enough weeks of history."""
    weeks = weeks_known(history, end)
    if weeks < LEAST_WEEKS or present.is_bulk:
        return ()
    expected = expected_count(history.negative, end, width, weeks)
    score = count_score(present.negative, expected, weeks) / scatter.negative
    share = expected_share(history, end, width, weeks)
    seen = present.churning / present.tickets if present.tickets else 0.0
    share_z = share_score(present.churning, present.tickets, share) / scatter.churn
    hours = width // HOUR
    return (
        Finding(NEGATIVE, hours, present.negative, expected, score, present.tickets),
        Finding(CHURN, hours, seen, share, share_z, present.tickets),
    )


def expected_count(series: Series, end: int, width: int, weeks: int) -> float:
    """What this hour of the week usually has, at the present level.

    The same window of each week, smoothed with those an hour earlier and later, scaled by how the driver's last week compares
    with that week; of four weeks and more the highest and the lowest are left out, so that an old spike explains nothing.
    """
    now = level(series, end - width)
    each = []
    for week in range(1, weeks + 1):
        place = end - week * WEEK
        around = (series.sum(place + shift - width, place + shift) for shift in (-HOUR, 0, 0, HOUR))
        ratio = min(3.0, max(1 / 3, (now + 1) / (level(series, place) + 1)))
        each.append(sum(around) / 4 * ratio)
    return _trimmed_mean(each)


def level(series: Series, end: int) -> float:
    """The week before `end` in all; a day counts at most twice the median day, so that one spike does not lift the level."""
    days = [series.sum(end - (day + 1) * DAY, end - day * DAY) for day in range(7)]
    most = 2 * median(days)
    return sum(min(day, most) for day in days)


def expected_share(history: History, end: int, width: int, weeks: int) -> float:
    """The churn share of this hour of the week, leaning on the driver's whole history where the hour has few tickets."""
    begin = end - weeks * WEEK
    overall = (history.churning.sum(begin, end - width) + 0.5) / (history.tickets.sum(begin, end - width) + 1)
    tickets = churning = 0
    for week in range(1, weeks + 1):
        place = end - week * WEEK
        tickets += history.tickets.sum(place - width - HOUR, place + HOUR)
        churning += history.churning.sum(place - width - HOUR, place + HOUR)
    return (churning + SHARE_PRIOR * overall) / (tickets + SHARE_PRIOR)


def count_score(observed: float, expected: float, weeks: int) -> float:
    """Anscombe's root: a Poisson count of any mean has about unit variance on it; the baseline's own error is added."""
    return 2 * (sqrt(observed + 0.375) - sqrt(expected + 0.375)) / sqrt(1 + 1 / max(weeks, 1))


def share_score(observed: float, tickets: int, expected: float) -> float:
    """The arcsine root: a binomial share of any mean has about the variance 1 / (4 tickets) on it."""
    if tickets == 0:
        return 0.0
    return 2 * sqrt(tickets) * (asin(sqrt(min(1.0, observed / tickets))) - asin(sqrt(min(1.0, expected))))


def scatter(history: History, end: int) -> Scatter:
    """How the hours of the last two weeks scattered around their own baselines; by the median, so that spikes count little."""
    weeks = weeks_known(history, end - SCATTER_SAMPLE)
    if weeks < LEAST_WEEKS:
        return Scatter()
    counts, shares = [], []
    for place in range(end - SCATTER_SAMPLE, end, HOUR):
        begin = place - HOUR
        expected = expected_count(history.negative, place, HOUR, weeks)
        counts.append(count_score(history.negative.sum(begin, place), expected, weeks))
        tickets = history.tickets.sum(begin, place)
        if tickets >= LEAST_TICKETS:
            share = expected_share(history, place, HOUR, weeks)
            shares.append(share_score(history.churning.sum(begin, place), tickets, share))
    return Scatter(_spread(counts), _spread(shares))


def is_calm(findings: Sequence[Finding]) -> bool:
    """Whether nothing is unusual any more; a window that cannot be judged says nothing."""
    return bool(findings) and all(finding.score < CALM_BELOW for finding in findings)


def _trimmed_mean(values: Sequence[float]) -> float:
    kept = sorted(values)[1:-1] if len(values) >= 4 else values
    return sum(kept) / len(kept)


def _spread(scores: Sequence[float]) -> float:
    """The standard deviation that fits the median absolute deviation, at least 1."""
    if len(scores) < 30:
        return 1.0
    middle = median(scores)
    return max(1.0, 1.4826 * median(abs(score - middle) for score in scores))
