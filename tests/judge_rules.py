"""What the warehouse must hold, given the journal of a store: rules 1 to 4 as the judge's author understood them. Pure."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

Ticket = tuple[str, str]  # source_system, ticket_id
Row = dict[str, Any]

ALLOWED = {
    "sentiment": {"positive", "neutral", "negative"},
    "churn_risk": {"none", "low", "medium", "high"},
    "effort": {"low", "medium", "high"},
}
REQUIRED = ("event_id", "occurred_at", "evidence_url", "idempotency_key", "version", *ALLOWED)
CONTENT = (*REQUIRED, "account_id", "sentiment_score", "raw_tags", "canonical_tag", "driver", "custom_metrics", "evidence_quote")
MAX_SCORE = 1_000_000
EMPTY: dict[str, Any] = {"raw_tags": [], "custom_metrics": {}}
KNOWN = {*CONTENT, "source_system", "ticket_id", "updated_at"}
MAX_RECORD = 8_000_000  # bytes
INSTANTS = {"occurred_at", "updated_at"}
SMALL_TABLES = {
    "tag_taxonomy": ("raw_tag", ("canonical_tag", "driver", "owner", "updated_at")),
    "accounts": ("account_id", ("name", "plan", "segment", "owner", "updated_at")),
}


@dataclass
class Event:
    """One write of one ticket. `number` orders the writes of a ticket as they were committed."""

    number: int
    ticket: Ticket
    content: Row
    updated_at: list[Any]
    valid: bool

    @property
    def key(self) -> str:
        return str(self.content["idempotency_key"])


@dataclass
class Expected:
    """What the warehouse must hold."""

    standing: dict[str, Event] = field(default_factory=dict)  # by idempotency key
    taken: set[tuple[Ticket, int]] = field(default_factory=set)  # versions that a standing event holds
    conflicts: list[Event] = field(default_factory=list)
    rejected: list[Event] = field(default_factory=list)
    latest: dict[Ticket, Event] = field(default_factory=dict)
    deleted: dict[Ticket, int] = field(default_factory=dict)  # number of the delete that ended the last finished life
    small: dict[str, dict[str, Row | None]] = field(default_factory=dict)  # None: deleted


def plain(column: str, value: Any) -> Any:
    """A value as it is compared: null collections are empty, instants are points in time."""
    if value is None:
        return EMPTY.get(column)
    if column in INSTANTS and "infinity" not in str(value):
        return datetime.fromisoformat(value)
    return value


def same(left: Any, right: Any) -> bool:
    """Equality of JSON values in which true is not 1."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def content_of(row: Mapping[str, Any]) -> Row:
    """The part of a row that makes two writes the same or different; columns the contract lacks are carried as metrics."""
    content = {column: plain(column, row.get(column)) for column in CONTENT}
    carried = {name: value for name, value in row.items() if name not in KNOWN and value is not None}
    if carried and isinstance(content["custom_metrics"], dict):
        content["custom_metrics"] = {**carried, **content["custom_metrics"]}
    return content


def is_valid(row: Mapping[str, Any], content: Row) -> bool:
    """Whether the contract admits it: no column missing, required fields present, values of the right type and in range."""
    if KNOWN - row.keys() or not (row["source_system"] and row["ticket_id"]):
        return False
    if any(content[column] in (None, "") for column in REQUIRED) or not isinstance(content["occurred_at"], datetime):
        return False
    if any(content[column] not in values for column, values in ALLOWED.items()):
        return False
    if not content["evidence_url"].startswith(("http://", "https://")) or not isinstance(content["custom_metrics"], dict):
        return False
    return is_number(content["version"], 1, math.inf) and (
        content["sentiment_score"] is None or is_number(content["sentiment_score"], -MAX_SCORE, MAX_SCORE)
    )


def is_number(value: object, lowest: float, highest: float) -> bool:
    """Whether it is a number in this range."""
    return isinstance(value, int | Decimal) and lowest <= value <= highest


def is_too_large(*rows: Row | None) -> bool:
    """Whether a record that holds these rows exceeds what the worker takes."""
    return sum(len(json.dumps(row, default=str)) for row in rows if row) > MAX_RECORD


def demand(journal: Iterable[tuple[int, str, str, Row | None, Row | None]]) -> Expected:
    """Fold the journal (number, table, operation, old row, new row; by number) into what the warehouse must hold."""
    expected, events = Expected(small={name: {} for name in SMALL_TABLES}), []
    for number, table, operation, old, new in journal:
        if operation == "truncate":
            continue  # never applied (F20)
        if table in SMALL_TABLES:
            key, columns = SMALL_TABLES[table]
            if old:
                expected.small[table][old[key]] = None
            if new:
                expected.small[table][new[key]] = {column: plain(column, new.get(column)) for column in columns}
            continue
        before, after = identity(old), identity(new)
        if before and before != after:
            expected.deleted[before] = number
        if new and after:
            content = content_of(new)
            valid = is_valid(new, content) and not is_too_large(old, new)
            events.append(Event(number, after, content, [plain("updated_at", new.get("updated_at"))], valid))
    moments = written_moments(events)
    for event in events:
        event.updated_at = moments[event.ticket, event.key]
        if event.number > expected.deleted.get(event.ticket, 0):
            place(event, expected)
    for event in expected.standing.values():
        if event.ticket not in expected.latest or event.content["version"] > expected.latest[event.ticket].content["version"]:
            expected.latest[event.ticket] = event
    return expected


def written_moments(events: Iterable[Event]) -> dict[tuple[Ticket, str], list[Any]]:
    """Every updated_at by ticket and key. It is not content: which repetition of a write it is taken from is left open."""
    moments: dict[tuple[Ticket, str], list[Any]] = {}
    for event in events:
        moments.setdefault((event.ticket, event.key), []).extend(event.updated_at)
    return moments


def identity(row: Row | None) -> Ticket | None:
    """Rule 1."""
    return (row["source_system"], row["ticket_id"]) if row else None


def place(event: Event, expected: Expected) -> None:
    """Rule 2: the first to take a key, and the first to take a version of a ticket, stands."""
    if not event.valid:
        expected.rejected.append(event)
        return
    holder = expected.standing.get(event.key)
    if holder and holder.ticket == event.ticket and same(holder.content, event.content):
        return
    if holder or (event.ticket, event.content["version"]) in expected.taken:
        expected.conflicts.append(event)
    else:
        expected.standing[event.key] = event
        expected.taken.add((event.ticket, event.content["version"]))
