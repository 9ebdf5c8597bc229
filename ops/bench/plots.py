"""The bench's pictures as SVG: one per scenario that says more as a picture than as a table."""

from collections.abc import Callable, Sequence

import altair

from ops.bench.figures import Figure
from ops.report.charts import COLOURS, svg
from ops.report.outcomes import Row

PARTS = {"of it worker or Connect": "worker or Connect", "PostgreSQL": "PostgreSQL", "broker": "broker"}


def draw(found: Sequence[Figure]) -> dict[str, str]:
    """File name → SVG text, for the scenarios that were measured."""
    pictures: dict[str, Callable[[list[Figure]], str]] = {"landing": landing, "latency": latency, "growth": growth}
    measured = {name: [one for one in found if one.scenario == name] for name in pictures}
    return {f"{name}.svg": pictures[name](own) for name, own in measured.items() if own}


def landing(found: list[Figure]) -> str:
    """Stacked bars: CPU seconds per million events by process."""
    values = [{"who": one.subject, "part": PARTS[one.name], "cpu": one.value} for one in found if one.name in PARTS]
    chart = _data(values).mark_bar(size=28).encode(
        x=altair.X("cpu:Q", title="CPU seconds per million events landed"),
        y=altair.Y("who:N", title=None, sort=None),
        color=_colour("part", list(PARTS.values())),
    )  # fmt: skip
    return svg(chart, "CPU seconds per million events, ours beside the JDBC sink")


def latency(found: list[Figure]) -> str:
    """Dots from p50 to p99 for each rate and way, on a logarithmic axis."""
    measured = [(*one.subject.split(", "), one.value) for one in found if one.name.endswith(" ms")]
    values = [{"rate": rate, "way": way, "ms": value} for rate, way, value in measured]
    x = altair.X("ms:Q", title="milliseconds after the commit in the store: p50, p95, p99", scale=altair.Scale(type="log"))
    base = _data(values).encode(x=x, y=altair.Y("rate:N", title=None, sort=None), color=_colour("way", _ways(values)))
    line = base.mark_line(strokeWidth=3).encode(detail=["way:N", "rate:N"], yOffset=altair.YOffset("way:N", sort=_ways(values)))
    dots = base.mark_point(filled=True, size=60, opacity=1).encode(yOffset=altair.YOffset("way:N", sort=_ways(values)))
    return svg(line + dots, "Milliseconds from a commit in the store to landing and marts, beside logical replication")


def growth(found: list[Figure]) -> str:
    """Lines: each cost relative to the smallest warehouse; flat is good."""
    first: dict[str, float] = {}
    values = []
    for one in found:
        if one.name.startswith(("landing CPU", "cycle of")):
            start = first.setdefault(one.name, one.value)
            values.append({"tickets": int(one.subject.split()[0].replace(",", "")), "what": one.name, "times": one.value / start})
    x = altair.X("tickets:Q", title="tickets in the warehouse", scale=altair.Scale(type="log"), axis=altair.Axis(format="~s"))
    y = altair.Y("times:Q", title="times the smallest", scale=altair.Scale(domainMin=0))
    lines = _data(values).mark_line(strokeWidth=2, point=True).encode(x=x, y=y, color=_colour("what", list(first)))
    return svg(lines, "Cost of landing and of a publish cycle on larger warehouses, relative to the smallest")


def _ways(values: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(str(value["way"]) for value in values))


def _colour(field: str, domain: list[str]) -> altair.Color:
    colours = [COLOURS[0], COLOURS[3], COLOURS[1], COLOURS[2]][: len(domain)]
    return altair.Color(f"{field}:N", sort=domain, scale=altair.Scale(domain=domain, range=colours))


def _data(values: Sequence[Row]) -> altair.Chart:
    return altair.Chart(altair.InlineData(values=list(values)))
