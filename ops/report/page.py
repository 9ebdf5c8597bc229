"""The report as one HTML page that needs nothing else: styles and pictures are in it, scripts there are none. Pure but for the
template's own text.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ops.alerts import flags
from ops.alerts.facts import moment, span
from ops.objectives import words
from ops.objectives.outlook import Standing
from ops.report import charts
from ops.report.facts import PRECISION_DAYS, Facts
from ops.report.incidents import typical

HERE = Path(__file__).parent
SHOWN_INCIDENTS = 40
MINUS = "\u2212"
LATENCY_TARGETS = {"end_to_end_p95": "p95", "end_to_end_p99": "p99"}


def render(facts: Facts) -> str:
    """The whole page."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    noticed, mended = typical(facts.incidents)
    zone = facts.week.zone
    return environment.from_string((HERE / "page.html.j2").read_text()).render(
        facts=facts, week=facts.week, headline=headline(facts), style=Markup((HERE / "page.css").read_text()),  # noqa: S704  # ours
        measured=[one for one in facts.standings if one.is_measured], charts=pictures(facts), is_long=is_hourly(facts),
        suggestions=flags.suggestions(facts.precision), noticed=noticed, mended=mended, shown_incidents=SHOWN_INCIDENTS,
        precision_days=PRECISION_DAYS, last_day=day(facts.week.end - timedelta(days=1)), day=day, number=number,
        percent=percent, signed=signed, span=span, amount=words.amount, seconds=words.seconds, problem=words.problem,
        is_link=is_link, moment=lambda at: moment(at, zone),
    )  # fmt: skip


def headline(facts: Facts) -> str:
    """The week in half a sentence."""
    measured = [one for one in facts.standings if one.is_measured]
    if not measured:
        return "nothing was measured"
    if not facts.unmet:
        met = "every objective met" if len(measured) == len(facts.standings) else "every measured objective met"
        return f"{met}, {len(facts.below_goal)} below goal this week" if facts.below_goal else met
    return f"{len(facts.unmet)} of {len(measured)} objectives unmet"


def pictures(facts: Facts) -> Mapping[str, Markup]:
    """The charts that there is something for; the others are empty."""
    zone, outcomes = facts.week.zone, facts.outcomes
    drawn = {
        "latency": charts.latency(facts.latency, _targets(facts.standings), zone) if facts.latency else "",
        "lag": charts.lag(facts.lag, _target(facts.standings, "consumer_lag"), zone) if facts.lag else "",
        "outcomes": charts.outcomes(outcomes.days) if outcomes.records else "",
    }
    return {name: Markup(text) for name, text in drawn.items()}  # noqa: S704  # drawn here, from numbers and our own words


def is_hourly(facts: Facts) -> bool:
    """Whether the latency is shown by hour."""
    return bool(facts.latency) and all(row["at"].minute == 0 for row in facts.latency) and len(facts.latency) > 1


def _targets(standings: list[Standing]) -> dict[str, float]:
    promised = {one.objective.name: one.objective.target for one in standings}
    return {line: promised[name] for name, line in LATENCY_TARGETS.items() if name in promised}


def _target(standings: list[Standing], name: str) -> float:
    return next((one.objective.target for one in standings if one.objective.name == name), 0.0)


def day(at: datetime) -> str:
    """Monday 23 November 2026."""
    return f"{at:%A} {at.day} {at:%B %Y}"


def number(value: Any) -> str:
    """1,234"""
    return f"{value:,}"


def percent(share: float) -> str:
    """A share in percent, rounded down to hundredths, so that only all is 100."""
    return f"{int(10_000 * share + 1e-6) / 100:g} %"


def signed(value: Any) -> str:
    """A number with its sign, the minus as long as the plus: +3, 0."""
    return f"+{value:,}" if value > 0 else f"{MINUS}{-value:,}" if value < 0 else "0"


def is_link(address: Any) -> bool:
    """Whether an address from the data may be a link on the page."""
    try:
        return urlsplit(str(address)).scheme in ("http", "https")
    except ValueError:
        return False
