"""What may be shown of an incident's details, for Slack, the page and the terminal alike. Pure.

Details come from many writers: a key that is missing or of another shape is left out, never an error.
A ticket's own words stay inside unless the operator chose otherwise (CX_QUOTE_IN_ALERTS).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from ops.alerts.incidents import Incident

SHOWN_ROWS = 5
VALUE_LENGTH = 80
WITHHELD = "(withheld)"
WITHHELD_NOTE = "A ticket's own words are withheld unless CX_QUOTE_IN_ALERTS is true."
# What a customer may have written. All other text is a word of the contract, an identifier, or the writer's own.
PERSONAL_FIELDS = frozenset({"evidence_quote", "quote", "custom_metrics", "payload"})


@dataclass(frozen=True)
class FailingRow:
    """One ticket that shows the problem. `value` is already fit to be shown."""

    ticket: str
    field: str
    value: str
    evidence_url: str


def failing_rows(details: Mapping[str, Any], with_quotes: bool) -> list[FailingRow]:
    """Up to five rows of details["rows"]."""
    rows = details.get("rows")
    usable = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    return [_row(row, with_quotes) for row in usable[:SHOWN_ROWS]]


def affected(details: Mapping[str, Any]) -> int | None:
    """How many rows, tickets or records the incident touches."""
    number = details.get("affected")
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def since(details: Mapping[str, Any], opened_at: datetime) -> datetime:
    """When it began: what the writer knows, else when it was noticed."""
    try:
        began = datetime.fromisoformat(str(details.get("since")))
    except ValueError:
        return opened_at
    return min(began, opened_at) if began.tzinfo and began.year >= 2000 else opened_at


def lasted(incident: Incident, now: datetime) -> str:
    """How long an incident lasted, or lasts until now, in words."""
    return span((incident.over_at or now) - since(incident.details, incident.opened_at))


def further(details: Mapping[str, Any], with_quotes: bool) -> list[tuple[str, str]]:
    """Up to eight further facts of details["extra"], each as name and value."""
    given = details.get("extra")
    named = [(str(name), value) for name, value in given.items()][:8] if isinstance(given, Mapping) else []
    return [(name, WITHHELD if name in PERSONAL_FIELDS and not with_quotes else _shortened(value, 200)) for name, value in named]


def text(details: Mapping[str, Any], key: str) -> str:
    """A text of the details; empty when it is missing or not a text."""
    value = details.get(key)
    return value.strip() if isinstance(value, str) else ""


def span(length: timedelta) -> str:
    """A length of time in words: 40 seconds, 12 minutes, 3 hours 5 minutes, 2 days 4 hours."""
    seconds = max(0, int(length.total_seconds()))
    for unit, size, smaller, smaller_size in (("day", 86400, "hour", 3600), ("hour", 3600, "minute", 60), ("minute", 60, "", 1)):
        if seconds >= size:
            rest = seconds % size // smaller_size if smaller else 0
            return _counted(seconds // size, unit) + (f" {_counted(rest, smaller)}" if rest else "")
    return _counted(seconds, "second")


def moment(at: datetime, zone: tzinfo) -> str:
    """A time with its zone: 2026-11-24 10:15 UTC."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def _row(row: Mapping[str, Any], with_quotes: bool) -> FailingRow:
    field, value = str(row.get("field", "")), row.get("value")
    ticket = "/".join(str(row[key]) for key in ("source_system", "ticket_id") if row.get(key) is not None)
    is_personal = isinstance(value, dict) or not PERSONAL_FIELDS.isdisjoint(re.findall(r"\w+", field.lower()))
    shown = WITHHELD if is_personal and not with_quotes else _shortened(value, VALUE_LENGTH)
    return FailingRow(ticket, field, shown, str(row.get("evidence_url") or ""))


def _shortened(value: Any, limit: int) -> str:
    if value is None:
        return "null"
    whole = str(value)
    return whole if len(whole) <= limit else whole[: limit - 1] + "…"


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" + ("" if number == 1 else "s")
