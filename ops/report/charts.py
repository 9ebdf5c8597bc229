"""The report's pictures as SVG text: described with Altair, drawn by Vega inside vl-convert, without browser or network.

Times are handed over as local wall-clock times of the report's zone and drawn as such: the machine's zone changes nothing.
"""

import re
from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any, Literal

import altair
import vl_convert

from ops.report.outcomes import NAMES, Row

WIDTH, HEIGHT = 640, 190
INK, SOFT, LINE = "#1b1f24", "#57606a", "#d0d7de"
# Okabe and Ito's colours: told apart by the colour-blind, and in grey by their order.
COLOURS = ["#0072b2", "#56b4e9", "#999999", "#d55e00", "#cc79a7", "#e69f00"]
PERCENTILES = {"p50": "#56b4e9", "p95": "#0072b2", "p99": "#d55e00"}
CONFIG: dict[str, Any] = {
    "font": "Liberation Sans, Arial, sans-serif",
    "background": "transparent",
    "view": {"stroke": None},
    "axis": {"labelFontSize": 12, "titleFontSize": 12, "labelColor": SOFT, "titleColor": SOFT, "gridColor": LINE,
             "domainColor": LINE, "tickColor": LINE, "titleFontWeight": "normal"},
    "legend": {"labelFontSize": 12, "title": None, "orient": "top", "labelColor": INK, "symbolStrokeWidth": 3},
}  # fmt: skip


def latency(minutes: Sequence[Row], targets: dict[str, float], zone: tzinfo) -> str:
    """Lines of p50, p95 and p99 from store to published, in seconds on a logarithmic axis; dashes are the targets."""
    values = [
        {"at": _local(row["at"], zone), "line": name, "seconds": max(row[name], 0.001)} for row in minutes for name in PERCENTILES
    ]
    colour = altair.Color("line:N", sort=list(PERCENTILES), scale=_scale(PERCENTILES))
    lines = _base(values).mark_line(strokeWidth=2, point={"size": 22}).encode(y=_seconds("log"), color=colour)
    goals = [{"line": name, "seconds": target} for name, target in targets.items()]
    rules = _data(goals).mark_rule(strokeDash=[6, 4], strokeWidth=1.5).encode(y=_seconds("log"), color=colour)
    return svg(lines + rules, "Seconds from store commit to publication: p50, p95 and p99 over the week, with their targets")


def lag(curve: Sequence[Row], target: float, zone: tzinfo) -> str:
    """The age of the oldest unread record, the worst of each five minutes; the dashes are the target."""
    values = [{"at": _local(row["at"], zone), "seconds": row["seconds"]} for row in curve]
    point = {"color": COLOURS[0], "size": 22} if len(values) == 1 else False  # one value makes no area
    area = _base(values).mark_area(line={"color": COLOURS[0], "strokeWidth": 2}, point=point, color=COLOURS[1], opacity=0.35)
    rule = _data([{"seconds": target}]).mark_rule(strokeDash=[6, 4], color=COLOURS[3], strokeWidth=1.5)
    picture = area.encode(y=_seconds("linear")) + rule.encode(y=_seconds("linear"))
    return svg(picture, "Seconds that the worker was behind over the week, with the target")


def outcomes(days: Sequence[Row]) -> str:
    """Stacked bars: records per day by outcome."""
    values = [
        {"day": f"{day['day']:%a %d %b}", "outcome": name, "records": day[name], "order": NAMES.index(name)}
        for day in days
        for name in NAMES
    ]
    scale = altair.Scale(domain=list(NAMES), range=COLOURS)
    chart = _base(values, x=altair.X("day:N", sort=None, title=None, axis=altair.Axis(labelAngle=0))).mark_bar(size=42)
    encoded = chart.encode(
        y=altair.Y("records:Q", title="records", axis=altair.Axis(format="~s")),
        color=altair.Color("outcome:N", sort=list(NAMES), scale=scale),
        order="order:Q",
    )
    return svg(encoded, "Records per day by outcome")


def svg(chart: altair.Chart | altair.LayerChart, said: str) -> str:
    """The drawing as an element that scales with its place, named for those who do not see it."""
    specification = chart.properties(width=WIDTH, height=HEIGHT).configure(**CONFIG).to_dict()
    drawn: str = vl_convert.vegalite_to_svg(specification)
    head, _, body = drawn.partition(">")
    width, height = (re.search(rf'\b{name}="([\d.]+)"', head) for name in ("width", "height"))
    size = f'width="{width[1]}" height="{height[1]}"' if width and height else ""
    box = f'viewBox="0 0 {width[1]} {height[1]}"' if width and height else ""
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{said}" {size} {box}>{body}'


def _base(values: Sequence[Row], x: altair.X | None = None) -> altair.Chart:
    time = altair.X("at:T", title=None, axis=altair.Axis(format="%a %d %H:%M", labelOverlap=True, labelSeparation=16))
    return _data(values).encode(x=x or time)


def _data(values: Sequence[Row]) -> altair.Chart:
    return altair.Chart(altair.InlineData(values=list(values)))


def _seconds(kind: Literal["linear", "log"]) -> altair.Y:
    scale = altair.Scale(type=kind) if kind == "log" else altair.Scale(zero=True)
    return altair.Y("seconds:Q", title="seconds", scale=scale, axis=altair.Axis(format="~f", tickCount=5, gridOpacity=0.6))


def _scale(colours: dict[str, str]) -> altair.Scale:
    return altair.Scale(domain=list(colours), range=list(colours.values()))


def _local(at: datetime, zone: tzinfo) -> str:
    return at.astimezone(zone).replace(tzinfo=None).isoformat()
