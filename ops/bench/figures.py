"""Figures: what a scenario measured, one number each, and how they are grouped for people."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles

Say = Callable[[str], None]


@dataclass(frozen=True)
class Figure:
    """One measured number: in which scenario, of which subject ("JDBC sink"), what ("events/s"). `goal` is for people."""

    scenario: str
    subject: str
    name: str
    value: float
    goal: str = ""


def figures(scenario: str, subject: str, values: Mapping[str, float], goals: Mapping[str, str] | None = None) -> list[Figure]:
    """Several numbers of one subject."""
    return [Figure(scenario, subject, name, round(value, 4), (goals or {}).get(name, "")) for name, value in values.items()]


def percentiles(seconds: Sequence[float], unit: str = "s") -> dict[str, float]:
    """p50, p95 and p99 of durations given in seconds, as seconds or milliseconds."""
    cuts = quantiles(seconds, n=100, method="inclusive")
    factor = 1000 if unit == "ms" else 1
    return {f"{name} {unit}": cuts[place] * factor for name, place in (("p50", 49), ("p95", 94), ("p99", 98))}


def shown(value: float) -> str:
    """A number with three significant digits and no more."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(found: Iterable[Figure]) -> list[str]:
    """The figures of one scenario as a Markdown table: a row per subject, a column per name."""
    rows: dict[str, dict[str, str]] = {}
    names: dict[str, None] = {}
    for one in found:
        names.setdefault(one.name)
        rows.setdefault(one.subject, {})[one.name] = shown(one.value) + (f" (goal {one.goal})" if one.goal else "")
    lines = ["| | " + " | ".join(names) + " |", "| --- |" + " ---: |" * len(names)]
    return lines + [f"| {' | '.join([subject, *(row.get(name, '') for name in names)])} |" for subject, row in rows.items()]
