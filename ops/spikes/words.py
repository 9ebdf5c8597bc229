"""A spike as a letter: the numbers, what is usual, the evidence, what to do. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from ops.spikes.rules import NEGATIVE, Finding

REMEDY = (
    "Read the tickets behind it. If something broke, tell its owner; if it was expected (a campaign, a known outage), flag it: "
    "flags are counted per driver."
)


def alarm(driver: str, finding: Finding) -> str:
    """The one sentence of the alert."""
    window = "hour" if finding.hours == 1 else f"{finding.hours} hours"
    if finding.metric == NEGATIVE:
        seen, usual = f"{finding.observed:,.0f} negative tickets", f"{finding.expected:,.1f}"
        return f"{driver}: {seen} in the last {window}; at this hour of the week {usual} are usual."
    seen, usual = f"{finding.observed:.0%} of {finding.tickets:,} tickets", f"{finding.expected:.0%}"
    return f"{driver}: {seen} in the last {window} have a high churn risk; at this hour of the week {usual} are usual."


def relief(driver: str) -> str:
    """The sentence that ends it."""
    return f"{driver} is back to what is usual at this hour of the week."


def details(finding: Finding, others: Sequence[Finding], rows: list[dict[str, Any]], end: datetime) -> dict[str, Any]:
    """What the letter shows beside the sentence. `others`: the findings of the other windows and metrics."""
    affected = finding.observed if finding.metric == NEGATIVE else finding.observed * finding.tickets
    extra = {_name(one): _numbers(one) for one in (finding, *(one for one in others if one is not finding))}
    return {
        "affected": round(affected),
        "since": (end - timedelta(hours=finding.hours)).isoformat(),
        "remedy": REMEDY,
        "runbook": "spikes",
        "rows": rows,
        "extra": extra,
    }


def _name(finding: Finding) -> str:
    return f"{finding.metric}, {finding.hours} h"


def _numbers(finding: Finding) -> str:
    if finding.metric == NEGATIVE:
        return f"{finding.observed:,.0f}, usual {finding.expected:,.1f}, {finding.score:.1f} deviations"
    return f"{finding.observed:.0%} of {finding.tickets:,}, usual {finding.expected:.0%}, {finding.score:.1f} deviations"
