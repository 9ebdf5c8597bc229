"""The report in one Slack message. Pure: within Slack's limits whatever the content, and it mentions nobody."""

from collections.abc import Sequence
from typing import Any

from ops.alerts.facts import span
from ops.alerts.markup import link, plain, prose
from ops.objectives import words
from ops.report.facts import Facts
from ops.report.incidents import typical
from ops.report.page import headline, number, percent, signed

SHOWN = 5

Payload = dict[str, Any]


def render(facts: Facts, page: str) -> Payload:
    """The payload; `page` says where the whole report is: an address, or a file to name."""
    title = f"CX Signals {facts.week.name}: {headline(facts)}"
    parts = [_objectives(facts), _traffic(facts), _incidents(facts), _movers(facts)]
    blocks: list[Payload] = [{"type": "header", "text": {"type": "plain_text", "text": plain(title, 150), "emoji": False}}]
    blocks += [_section(part) for part in parts if part]
    whole = link(page, "The whole report") or f"The whole report: {prose(page, 400)}"
    blocks.append({"type": "context", "elements": [_text(whole)]})
    return {"text": plain(title, 300), "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def _objectives(facts: Facts) -> str:
    measured = [one for one in facts.standings if one.is_measured]
    if not measured:
        return ""
    lines = [f"{prose(one.objective.name, 80)}: {prose(words.left(one), 200)}" for one in facts.unmet]
    tight = min(measured, key=lambda one: one.budget.left_share)
    met = f"{len(measured) - len(facts.unmet)} of {len(measured)} objectives met"
    least = f"least budget left: {prose(tight.objective.name, 80)}, {percent(tight.budget.left_share)}"
    return "\n".join([f"*Objectives*\n{met}; {least}.", *lines[:SHOWN]])


def _traffic(facts: Facts) -> str:
    held = facts.cycles.get("held", 0)
    return (
        f"*Traffic*\n{number(facts.outcomes.records)} records, {percent(facts.outcomes.dead_share)} of them dead letters; "
        f"{number(facts.publications)} publications, {number(held)} cycles held by the gate."
    )


def _incidents(facts: Facts) -> str:
    if not facts.incidents:
        return "*Incidents*\nNone."
    noticed, mended = typical(facts.incidents)
    still_open = sum(one.mended is None for one in facts.incidents)
    times = f"noticed within {span(noticed)}" if noticed is not None else ""
    times += f", mended within {span(mended)}" if mended is not None else ""
    return f"*Incidents*\n{len(facts.incidents)}, of which {still_open} still open; half of them {times}."


def _movers(facts: Facts) -> str:
    return "\n".join(["*Drivers that moved most*", *map(_mover, facts.movers[:SHOWN])]) if facts.movers else ""


def _mover(row: Payload) -> str:
    said = (
        f"{prose(row['driver'], 100)}: net sentiment {signed(row['net_sentiment'])} ({signed(row['net_sentiment_change'])}), "
        f"{number(row['signal_count'])} signals"
    )
    evidence: Sequence[str] = [found] if (found := link(row["worst_evidence_url"], "evidence", 250)) else []
    return "  ·  ".join([said, *evidence])


def _text(text: str) -> Payload:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _section(text: str) -> Payload:
    return {"type": "section", "text": _text(text[:2900])}
