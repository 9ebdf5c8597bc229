"""Which dead letters a command means, as a value, and as a condition on landing.dead_letters. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from stream.core.reasons import Reason

_AGE = re.compile(r"(\d+)([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class BadSelection(Exception):
    """What the user wrote selects nothing that could be meant; the message says how to write it."""


@dataclass(frozen=True)
class Selection:
    """Letters for which everything given holds. `ids` are meant whatever their status, everything else by `status`."""

    ids: tuple[int, ...] = ()
    reasons: tuple[str, ...] = ()
    ticket: tuple[str, str] | None = None  # source_system, ticket_id
    since: datetime | None = None  # last seen then or later
    until: datetime | None = None  # first seen before
    status: str | None = "open"  # None: any
    everything: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was asked for."""
        return not (self.ids or self.reasons or self.ticket or self.since or self.until or self.everything)

    def condition(self) -> tuple[str, dict[str, Any]]:
        """SQL over the columns of landing.dead_letters, and its parameters (psycopg's named style)."""
        parts: dict[str, object] = {
            "dead_letter_id = any(%(ids)s)": list(self.ids),
            "reason = any(%(reasons)s)": list(self.reasons),
            "source_system = %(source_system)s and ticket_id = %(ticket_id)s": self.ticket,
            "last_seen_at >= %(since)s": self.since,
            "first_seen_at < %(until)s": self.until,
            "status = %(status)s": None if self.ids else self.status,
        }
        used = [part for part, value in parts.items() if value]
        system, ticket_id = self.ticket or (None, None)
        parameters = {
            "ids": list(self.ids), "reasons": list(self.reasons), "source_system": system, "ticket_id": ticket_id,
            "since": self.since, "until": self.until, "status": self.status,
        }  # fmt: skip
        return " and ".join(used) or "true", parameters


def parse_reason(text: str) -> str:
    """A reason of the closed list."""
    if text not in set(Reason):
        raise BadSelection(f"--reason {text!r}: the reasons are {', '.join(Reason)}")
    return text


def parse_ticket(text: str) -> tuple[str, str]:
    """`zendesk:4711` to its two parts; a ticket's id may hold further colons."""
    system, colon, ticket_id = text.partition(":")
    if not (system and colon and ticket_id):
        raise BadSelection(f"--ticket {text!r}: write it as source_system:ticket_id, e.g. zendesk:4711")
    return system, ticket_id


def parse_moment(text: str, now: datetime) -> datetime:
    """An age before now (`90m`, `2h`, `3d`, `1w`), or an ISO date or time, in UTC unless it names its zone."""
    age = _AGE.fullmatch(text.strip())
    try:
        if age:
            return now - timedelta(**{_UNITS[age[2]]: int(age[1])})
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError) as error:
        raise BadSelection(f"{text!r} is no time: write 2026-11-24, 2026-11-24T08:30, or an age like 90m, 2h, 3d") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
