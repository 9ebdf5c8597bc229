"""A letter as Slack's blocks. Pure: whatever the content, the result is within Slack's limits and mentions nobody
but those whom the routes file names.

Links are text, not buttons: a button with a link still calls the app back, and a webhook has nothing that answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

from ops.alerts import facts, letters
from ops.alerts.incidents import Incident, rank
from ops.alerts.markup import code, link, plain, prose

LISTED = 15  # incidents that a group names one by one
_SEPARATOR = "  ·  "

Payload = dict[str, Any]


@dataclass(frozen=True)
class Envelope:
    """What a letter needs beside its incidents."""

    now: datetime
    zone: tzinfo = UTC
    mentions: Sequence[str] = ()
    flag_links: Mapping[int, str] = field(default_factory=dict)
    runbook: str = "README.md"
    with_quotes: bool = False
    may_repeat: bool = False


def render(kind: str, incidents: Sequence[Incident], envelope: Envelope) -> Payload:
    """The payload of a letter about one incident or a group."""
    return _group(incidents, envelope) if kind == letters.GROUP or len(incidents) != 1 else _single(kind, incidents[0], envelope)


def render_plain(incidents: Sequence[Incident]) -> Payload:
    """The simplest payload that still says which incidents: for when Slack refuses the blocks."""
    numbers = ", ".join(str(incident.incident_id) for incident in incidents[:50])
    return {"text": f"CX Signals has news of incident {numbers}, and Slack refused its full text. See: cx alerts list"}


def headline(kind: str, incident: Incident, now: datetime) -> str:
    """Severity and what is new, in words that need no colour."""
    name = f"incident {incident.incident_id}"
    if incident.over_at is not None:
        silence = f"was not seen again for {facts.span(incident.over_at - incident.last_seen_at)}"
        news = f"{name} {silence if incident.over_by_silence else f'is over after {facts.lasted(incident, now)}'}"
        return f"Over: {news}" if incident.told_as else f"Over before this could be told: {news} ({incident.severity})"
    news = {
        letters.NEW: f"new {name}",
        letters.AGAIN: f"{name} is back",
        letters.WORSE: f"{name} grew worse",
        letters.REMINDER: f"{name} still open after {facts.lasted(incident, now)}",
    }.get(kind, name)
    return f"{incident.severity.capitalize()}: {news}"


def _single(kind: str, incident: Incident, envelope: Envelope) -> Payload:
    title = headline(kind, incident, envelope.now)
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": plain(title, 150), "emoji": False}},
        _section(_opening(incident, envelope)),
        {"type": "section", "fields": [_text(item) for item in _fields(incident, envelope)]},
    ]
    if incident.is_open:
        blocks += [_section(part) for part in (_rows(incident, envelope), _extra(incident, envelope), _remedy(incident)) if part]
    blocks += [_section(part) for part in (_links(incident, envelope),) if part]
    blocks.append(_context(_footer(incident, envelope)))
    return _payload(f"{prose(title, 200)}. {prose(incident.summary, 700)}", blocks)


def _group(incidents: Sequence[Incident], envelope: Envelope) -> Payload:
    ordered = sorted(incidents, key=lambda incident: (not incident.is_open, -rank(incident.severity), incident.incident_id))
    open_count = sum(incident.is_open for incident in ordered)
    over = f", {len(ordered) - open_count} over" if open_count < len(ordered) else ""
    title = f"{open_count} incidents are open{over}: one message for all"
    blocks = [{"type": "header", "text": {"type": "plain_text", "text": plain(title, 150), "emoji": False}}]
    if envelope.mentions:
        blocks.append(_section(" ".join(envelope.mentions)[:2900]))
    blocks += [_section(_listed(incident, envelope)) for incident in ordered[:LISTED]]
    more = f"and {len(ordered) - LISTED} more" if len(ordered) > LISTED else ""
    blocks.append(_context(_SEPARATOR.join(part for part in (more, "all of them: `cx alerts list`", _repeat(envelope)) if part)))
    return _payload(prose(title, 300), blocks)


def _opening(incident: Incident, envelope: Envelope) -> str:
    called = " ".join(envelope.mentions)[:500] if incident.is_open else ""
    return f"{prose(incident.summary, 2200)}" + (f"\n{called}" if called else "")


def _fields(incident: Incident, envelope: Envelope) -> list[str]:
    began = facts.since(incident.details, incident.opened_at)
    count = facts.affected(incident.details)
    ended = incident.over_at
    pairs = [
        ("Severity", incident.severity.capitalize()),
        ("Owner", prose(incident.owner, 200)),
        ("Since", facts.moment(began, envelope.zone)),
        ("Over since", f"{facts.moment(ended, envelope.zone)}, lasted {facts.lasted(incident, envelope.now)}" if ended else ""),
        ("Affected", f"{count:,}" if count is not None else ""),
        ("Noticed", f"{incident.occurrences:,} times" if incident.occurrences > 1 else ""),
        ("Came back", f"{incident.reopened:,} times" if incident.reopened > 1 else ""),
    ]
    return [f"*{name}*\n{value}" for name, value in pairs if value]


def _rows(incident: Incident, envelope: Envelope) -> str:
    rows = facts.failing_rows(incident.details, envelope.with_quotes)
    lines = [f"•  {_row(row)}" for row in rows]
    total = facts.affected(incident.details)
    title = f"*Failing rows* ({len(rows)} of {total:,})" if total and total > len(rows) else "*Failing rows*"
    note = [facts.WITHHELD_NOTE] if any(row.value == facts.WITHHELD for row in rows) else []
    return "\n".join([title, *lines, *note]) if lines else ""


def _row(row: facts.FailingRow) -> str:
    value = row.value if row.value == facts.WITHHELD else code(row.value, 120)
    said = f"{code(row.ticket, 90)}  {prose(row.field, 60)} = {value}"
    if not row.evidence_url:
        return said
    return said + _SEPARATOR + (link(row.evidence_url, "evidence", 250) or "its evidence link cannot be used")


def _extra(incident: Incident, envelope: Envelope) -> str:
    named = facts.further(incident.details, envelope.with_quotes)
    return "\n".join(f"{prose(name, 80)}: {value if value == facts.WITHHELD else code(value, 220)}" for name, value in named)


def _remedy(incident: Incident) -> str:
    remedy = facts.text(incident.details, "remedy")
    return f"*What to do*\n{prose(remedy, 2500)}" if remedy else ""


def _links(incident: Incident, envelope: Envelope) -> str:
    data_docs, anchor = facts.text(incident.details, "data_docs"), facts.text(incident.details, "runbook").lstrip("#")
    parts = [
        _link_or_code(data_docs, "Data Docs") if data_docs else "",
        _link_or_code(f"{envelope.runbook}#{anchor}", "Runbook") if anchor else "",
        link(envelope.flag_links.get(incident.incident_id, ""), "Not a problem?", 800),
    ]
    return _SEPARATOR.join(part for part in parts if part)


def _link_or_code(address: str, label: str) -> str:
    """Files of the machine have no address that Slack would link: they are named."""
    return link(address, label, 800) or f"{label}: {code(address, 400)}"


def _footer(incident: Incident, envelope: Envelope) -> str:
    shown = f"`cx alerts show {incident.incident_id}`"
    return _SEPARATOR.join(part for part in (f"Cause {code(incident.fingerprint, 400)}", shown, _repeat(envelope)) if part)


def _repeat(envelope: Envelope) -> str:
    return "Slack gave no answer to an earlier try: this may repeat a message" if envelope.may_repeat else ""


def _listed(incident: Incident, envelope: Envelope) -> str:
    state = "" if incident.is_open else f", over after {facts.lasted(incident, envelope.now)}"
    flag = link(envelope.flag_links.get(incident.incident_id, ""), "Not a problem?", 800)
    severity = f"*{incident.severity.capitalize()}{state}*"
    head = (severity, f"incident {incident.incident_id}", prose(incident.owner, 80), flag)
    return f"{_SEPARATOR.join(part for part in head if part)}\n{prose(incident.summary, 400)}"


def _payload(text: str, blocks: list[Payload]) -> Payload:
    return {"text": text, "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def _text(text: str) -> Payload:
    return {"type": "mrkdwn", "text": text, "verbatim": True}  # verbatim: a bare @channel stays text


def _section(text: str) -> Payload:
    return {"type": "section", "text": _text(text)}


def _context(text: str) -> Payload:
    return {"type": "context", "elements": [_text(text)]}
