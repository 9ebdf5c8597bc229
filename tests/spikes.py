"""How well spikes are found: `python -m tests.spikes` simulates months of drivers and prints the README's table.

Each driver has a level, a daily and a weekly pattern, a trend, days that are better or worse than chance explains, spikes of
several sizes, backfills of the past and bulk loads of the present. The rules see what the watch would see, slot by slot.
"""

import argparse
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from ops.spikes.rules import CALM_LOOKS, WINDOWS, History, Present, Scatter, is_calm, judge, scatter
from ops.spikes.series import DAY, HOUR, SLOT_SECONDS, WEEK, Series

HISTORY_WEEKS, JUDGED_WEEKS = 8, 4
SIZES = (2.0, 3.0, 5.0)
HOURLY_LEVELS = (2.0, 6.0, 20.0)  # negative tickets per hour, on average


@dataclass(frozen=True)
class Injected:
    """A rise by a factor between two slots; of the churn share when `is_churn`."""

    begin: int
    end: int
    factor: float
    is_churn: bool = False


@dataclass
class Driver:
    """A simulated driver: counts per slot, and the truth about them."""

    level: float
    tickets: dict[int, int] = field(default_factory=dict)
    negative: dict[int, int] = field(default_factory=dict)
    churning: dict[int, int] = field(default_factory=dict)
    bulk: dict[int, int] = field(default_factory=dict)  # negative tickets of a slot that landed at once
    spikes: list[Injected] = field(default_factory=list)


@dataclass(frozen=True)
class Alarm:
    """One alert: when it fired, and the spike it was about, if any."""

    level: float
    slot: int
    about: Injected | None


@dataclass
class Result:
    """What came of some drivers."""

    alarms: list[Alarm] = field(default_factory=list)
    spikes: list[tuple[float, Injected]] = field(default_factory=list)
    driver_weeks: int = 0

    @property
    def precision(self) -> float:
        return sum(alarm.about is not None for alarm in self.alarms) / max(1, len(self.alarms))

    @property
    def false_per_driver_month(self) -> float:
        return sum(alarm.about is None for alarm in self.alarms) / self.driver_weeks * (365 / 12 / 7)

    def found(self, factor: float, level: float, is_churn: bool = False) -> list[float | None]:
        """Minutes from the beginning of each such spike to its alert; None: not found."""
        first = {alarm.about: alarm.slot for alarm in reversed(self.alarms) if alarm.about}
        chosen = [one for at, one in self.spikes if (at, one.factor, one.is_churn) == (level, factor, is_churn)]
        return [(first[one] - one.begin) * SLOT_SECONDS / 60 if one in first else None for one in chosen]


def expected_rate(level: float, slot: int, trend: float) -> float:
    """Negative tickets per slot: office hours, quiet nights, half on weekends, a trend over the weeks."""
    hour, day = slot % DAY / HOUR, slot // DAY % 7
    daily = 0.15 + 1.7 * max(0.0, math.sin((hour - 6) / 14 * math.pi)) if 6 <= hour <= 20 else 0.15
    return level / HOUR * daily * (0.5 if day >= 5 else 1.2) * (1 + trend * slot / WEEK)


def simulated(chance: random.Random, level: float) -> Driver:
    """One driver over all weeks; spikes, backfills and bulk loads in the judged ones."""
    driver, trend = Driver(level), chance.uniform(-0.02, 0.04)
    end, judged = (HISTORY_WEEKS + JUDGED_WEEKS) * WEEK, HISTORY_WEEKS * WEEK
    driver.spikes = list(_injected(chance, judged, end))
    mood = 1.0
    for slot in range(end):
        if slot % (3 * HOUR) == 0:
            mood = chance.gammavariate(25, 1 / 25)  # a fifth more or less, for three hours each
        _fill(driver, chance, slot, expected_rate(level, slot, trend) * mood)
    for _ in range(2):  # an old export is loaded: history only
        place = chance.randrange(judged - 4 * WEEK, judged)
        for slot in range(place, place + DAY):
            driver.negative[slot] = driver.negative[slot] * 4
            driver.tickets[slot] = driver.tickets[slot] * 4
    for _ in range(3):  # tickets of the present are loaded at once
        slot = chance.randrange(judged, end)
        number = int(20 + 10 * level)
        driver.bulk[slot] = number
        driver.negative[slot] += number
        driver.tickets[slot] += number
    return driver


def _injected(chance: random.Random, begin: int, end: int) -> Iterator[Injected]:
    """A spike or a rise of the churn share every other day, by day, two to six hours long."""
    for number, day in enumerate(range(begin, end - DAY, 2 * DAY)):
        start = day + chance.randrange(9 * HOUR, 14 * HOUR)
        length = chance.randrange(2 * HOUR, 6 * HOUR)
        yield Injected(start, start + length, SIZES[number % len(SIZES)], is_churn=number % 4 == 3)


def _fill(driver: Driver, chance: random.Random, slot: int, rate: float) -> None:
    share = 0.12
    for spike in driver.spikes:
        if spike.begin <= slot < spike.end and not spike.is_churn:
            rate *= spike.factor
        elif spike.begin <= slot < spike.end:
            share = min(0.9, share * spike.factor)
    negative = _poisson(chance, rate)
    tickets = negative + _poisson(chance, 2 * rate)
    driver.negative[slot], driver.tickets[slot] = negative, tickets
    driver.churning[slot] = sum(chance.random() < share for _ in range(tickets))


def _poisson(chance: random.Random, mean: float) -> int:
    if mean > 60:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, product, number = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        number += 1
    return number


def watched(driver: Driver) -> list[Alarm]:
    """The alerts of one driver, as the watch would raise them: once per spike, until it was calm."""
    begin, end = HISTORY_WEEKS * WEEK, (HISTORY_WEEKS + JUDGED_WEEKS) * WEEK
    history = History(*(Series(counts, 0, end) for counts in (driver.tickets, driver.negative, driver.churning)))
    alarms: list[Alarm] = []
    noise, is_open, calm = Scatter(), False, 0
    for slot in range(begin, end):
        if slot % DAY == 0:
            noise = scatter(history, slot)
        findings = [
            one for width in WINDOWS for one in judge(history, noise, _present(driver, history, slot, width), slot, width)
        ]
        if not is_open and any(finding.is_spike for finding in findings):
            is_open, calm = True, 0
            alarms.append(Alarm(driver.level, slot, _cause(driver.spikes, slot)))
        elif is_open:
            calm = calm + 1 if is_calm(findings) else 0
            is_open = calm < CALM_LOOKS
    return alarms


def _present(driver: Driver, history: History, end: int, width: int) -> Present:
    sums = [series.sum(end - width, end) for series in (history.tickets, history.negative, history.churning)]
    at_once = max((driver.bulk.get(slot, 0) for slot in range(end - width, end)), default=0)
    return Present(*sums, most_at_once=at_once)


def _cause(spikes: Sequence[Injected], slot: int) -> Injected | None:
    """The spike an alert is about: begun, and not longer over than the longest window."""
    return next((one for one in spikes if one.begin < slot <= one.end + max(WINDOWS)), None)


def simulate(drivers: int, seed: int) -> Result:
    """So many drivers of each level."""
    chance, result = random.Random(seed), Result()
    for level in HOURLY_LEVELS:
        for _ in range(drivers):
            driver = simulated(chance, level)
            result.alarms += watched(driver)
            result.spikes += [(level, one) for one in driver.spikes]
            result.driver_weeks += JUDGED_WEEKS
    return result


def table(result: Result) -> str:
    """The README's table."""
    lines = ["| negative per hour | rise | found | delay, median | 9 of 10 within |", "| --- | --- | --- | --- | --- |"]
    for level in HOURLY_LEVELS:
        kinds = [(factor, False) for factor in SIZES] + [(factor, True) for factor in SIZES]
        for factor, is_churn in kinds:
            found = result.found(factor, level, is_churn)
            delays = sorted(delay for delay in found if delay is not None)
            what = f"churn share, {factor:g} times" if is_churn else f"negative, {factor:g} times"
            if found:
                when = f"{median(delays):.0f} min | {delays[int(len(delays) * 0.9) - 1]:.0f} min" if delays else "- | -"
                lines.append(f"| {level:g} | {what} | {len(delays)} of {len(found)} | {when} |")
    false = f"{result.false_per_driver_month:.2f} false per driver and month"
    verdict = f"{len(result.alarms)} alerts, precision {result.precision:.3f}, {false}"
    return "\n".join([*lines, "", verdict])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Precision, recall and delay of spike alerts on simulated history.")
    parser.add_argument("--drivers", type=int, default=20, help="of each level")
    parser.add_argument("--seed", type=int, default=1)
    choices = parser.parse_args()
    print(table(simulate(choices.drivers, choices.seed)))  # noqa: T201
