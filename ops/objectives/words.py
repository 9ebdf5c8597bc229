"""Objectives in words: values with their units, how much budget is left, the sentences of an alert. Pure."""

from datetime import timedelta

from ops.alerts.facts import span
from ops.objectives.outlook import Standing
from ops.objectives.rules import BurnAlert, Objective

COVERED = 0.95  # of the window; the rest may be restarts and upgrades
BYTES = ("B", "KiB", "MiB", "GiB", "TiB")


def amount(value: float, unit: str) -> str:
    """A value as people read it: 1.9 s, 3.4 min, 12 MiB, 0.2 %, 3 tickets."""
    if unit == "seconds":
        return seconds(value)
    if unit == "bytes":
        return _bytes(value)
    if unit == "ratio":
        return f"{100 * value:.2g} %"
    return f"{value:,.0f} {unit}"


def seconds(value: float) -> str:
    """A length of time, short: 0.4 s, 75 s, 12 min, 5.0 h, 28 d."""
    sizes = ((120.0, 1, "s"), (7200.0, 60, "min"), (172_800.0, 3600, "h"), (float("inf"), 86_400, "d"))
    size, unit = next((size, unit) for limit, size, unit in sizes if abs(value) < limit)
    scaled = value / size
    return f"{scaled:.1f} {unit}" if abs(scaled) < 10 and scaled != int(scaled) else f"{scaled:.0f} {unit}"


def window(length: timedelta) -> str:
    """A window as Prometheus writes it: 15s, 5m, 1h, 28d."""
    total = int(length.total_seconds())
    size, unit = next((size, unit) for size, unit in ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s")) if total % size == 0)
    return f"{total // size}{unit}"


def _bytes(value: float) -> str:
    for unit in BYTES[:-1]:
        if abs(value) < 1024:
            return f"{value:,.0f} {unit}"
        value /= 1024
    return f"{value:,.1f} {BYTES[-1]}"


def promise(objective: Objective) -> str:
    """The promise in one line: at most 10 s for 95 % of 28 d."""
    target = amount(objective.target, objective.unit)
    return f"at most {target} for {100 * objective.goal:g} % of {seconds(objective.window.total_seconds())}"


def standing(one: Standing) -> str:
    """Met or not, by how much, and the budget that is left, in one line."""
    if not one.is_measured:
        return f"not measured yet ({promise(one.objective)})"
    target = amount(one.objective.target, one.objective.unit)
    is_above = one.newest is not None and one.newest.value is not None and one.newest.is_bad
    against = f"above the {target} promised" if is_above else f"at most {target}"
    return f"{verdict(one)}; {now(one)}, {against}; {left(one)}"


def verdict(one: Standing) -> str:
    """Met, unmet, or met so far: a new installation has not yet kept a promise about 28 days."""
    if not one.is_met:
        return "UNMET"
    if one.covered_share >= COVERED:
        return "met"
    measured, whole = seconds(one.spent.measured_seconds), seconds(one.objective.window.total_seconds())
    return f"met so far ({measured} of {whole} measured)"


def now(one: Standing) -> str:
    """The newest value: 1.9 s now."""
    if one.newest is None:
        return "nothing to measure now"
    return "no answer now" if one.newest.value is None else f"{amount(one.newest.value, one.objective.unit)} now"


def left(one: Standing) -> str:
    """What is left of the error budget, or by how much it is overdrawn."""
    spent, allowed = seconds(one.budget.spent_seconds), seconds(one.budget.allowed_seconds)
    if one.is_met:
        return f"{_floored(one.budget.left_share)} % of the budget left ({spent} of {allowed} spent)"
    return f"budget overdrawn by {seconds(one.budget.spent_seconds - one.budget.allowed_seconds)} ({spent} of {allowed} spent)"


def _floored(share: float) -> str:
    """Percent rounded down to a tenth: nothing spent alone reads 100."""
    return f"{int(1000 * share) / 10:g}"


def problem(one: Standing) -> str:
    """The sentence of `cx status` about an objective that is unmet."""
    return f"objective {one.objective.name} is unmet: {left(one)}. {one.objective.remedy}"


def alarm(one: Standing, alert: BurnAlert) -> str:
    """The one sentence of an alert."""
    lasts = timedelta(seconds=one.objective.window.total_seconds() / one.rates[alert.long])
    return (
        f"{one.objective.title}: {now(one)}, promised {promise(one.objective)}. "
        f"At the rate of the last {span(alert.long).removeprefix('1 ')} the whole error budget is gone in {span(lasts)}."
    )


def relief(one: Standing) -> str:
    """The one sentence of its end."""
    return f"{one.objective.title}: {now(one)}, within what is promised again."
