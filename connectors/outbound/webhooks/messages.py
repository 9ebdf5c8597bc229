"""From records of a topic to messages of a subscription. Pure.

changed  the event passes the filter
left     it does not, but the event before did: identity only, so that a subscriber's list of tickets stays right
deleted  the ticket is gone, and the subscriber was told of it: identity only; what was queued of it loses its payload
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from connectors.outbound.webhooks.subscriptions import Subscription

CHANGED, LEFT, DELETED = "cx.signal.changed", "cx.signal.left", "cx.signal.deleted"

Ticket = tuple[str, str]  # source_system, ticket_id


class Unreadable(ValueError):
    """A record that is none of ours; the message says why, without its content."""


@dataclass(frozen=True)
class Event:
    """One record. `value` and `body` are None on a tombstone; `key` and `time` are the same when the record is repeated.

    Attributes:
        key: the idempotency key, or the name of the delete.
        time: when the change landed.
        is_filling: a state told anew to the topic, not a change.
        sequence: its place among the records of its ticket, as text; empty when the record names none.
    """

    ticket: Ticket
    key: str
    time: datetime
    value: dict[str, Any] | None
    body: bytes | None = None
    is_filling: bool = False
    sequence: str = ""


@dataclass(frozen=True)
class Horizon:
    """What is too old to be told: what landed before a subscription was known, and fillings from before the queue's memory."""

    known_since: Mapping[str, datetime]
    remembered_since: datetime

    def tells(self, event: Event, subscription: str) -> bool:
        if event.is_filling and event.time < self.remembered_since:
            return False
        return event.time >= self.known_since[subscription]


@dataclass(frozen=True)
class Message:
    """What one subscription is to be told. `message_id` is the same whenever this change is told to it."""

    subscription: str
    ticket: Ticket
    message_id: str
    kind: str
    idempotency_key: str
    body: bytes


@dataclass(frozen=True)
class Queueing:
    """What a batch of records changes: messages and erasures in their order, and for whom a ticket is now a told one."""

    steps: tuple[Message | Ticket, ...]
    told: frozenset[tuple[str, Ticket]]
    forgotten: frozenset[tuple[str, Ticket]]


def read(key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]], timestamp: datetime) -> Event:
    """Decode a record. `timestamp`: the record's own, used when ce_time is missing. Raises Unreadable."""
    try:
        identity = msgspec.json.decode(key or b"")
        ticket = str(identity["source_system"]), str(identity["ticket_id"])
        event = msgspec.json.decode(value, type=dict[str, Any]) if value else None
    except (msgspec.MsgspecError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise Unreadable(f"the record is not one of ours: {type(error).__name__}") from None
    named = {name: content.decode("utf-8", "replace") for name, content in headers}
    known = named.get("ce_id") or str((event or {}).get("idempotency_key") or f"{ticket[0]}:{ticket[1]}:deleted")
    landed, is_filling = _moment(named.get("ce_time"), timestamp), named.get("ce_filling") == "true"
    return Event(ticket, known, landed, event, value or None, is_filling, named.get("ce_sequence", ""))


def _moment(text: str | None, otherwise: datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return otherwise
    return moment if moment.tzinfo else otherwise


def queueing(
    events: Sequence[Event], subscriptions: Sequence[Subscription], told: frozenset[tuple[str, Ticket]], horizon: Horizon
) -> Queueing:
    """What a batch of one projection's records means for its subscriptions.

    Args:
        events: in the order of their partition.
        told: which of the subscriptions with a filter hold which of the events' tickets.
    """
    steps: list[Message | Ticket] = []
    holding = set(told)
    for event in events:
        if event.value is None:
            steps.append(event.ticket)
        for one in subscriptions:
            kind = _kind(event, one, (one.name, event.ticket) in holding)
            if kind is None or not horizon.tells(event, one.name):
                continue
            steps.append(_message(event, one, kind))
            if one.filter is not None and kind == CHANGED:
                holding.add((one.name, event.ticket))
            else:
                holding.discard((one.name, event.ticket))
    return Queueing(tuple(steps), frozenset(holding - told), frozenset(told - holding))


def _kind(event: Event, subscription: Subscription, is_told: bool) -> str | None:
    if event.value is None:
        return DELETED if is_told or subscription.filter is None else None
    if subscription.wants(event.value):
        return CHANGED
    return LEFT if is_told else None


def _message(event: Event, subscription: Subscription, kind: str) -> Message:
    if kind == CHANGED:
        data = msgspec.Raw(event.body or b"null")
    else:
        data = msgspec.Raw(msgspec.json.encode({"source_system": event.ticket[0], "ticket_id": event.ticket[1]}))
    body = msgspec.json.encode({"type": kind, "timestamp": event.time, "data": data})
    return Message(subscription.name, event.ticket, message_id(event, subscription.projection, kind), kind, event.key, body)


def message_id(event: Event, projection: str, kind: str) -> str:
    """`msg_` and 32 hexadecimal digits: the idempotency key hashed, with what tells apart two lives of a ticket (the time)."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (projection, kind, *event.ticket, event.key, event.time.astimezone(UTC).isoformat()):
        digest.update(len(part.encode()).to_bytes(4))
        digest.update(part.encode())
    return f"msg_{digest.hexdigest()}"


def trial(subscription: Subscription, now: datetime, chance: str) -> tuple[str, bytes]:
    """Id and body of a test message: `cx.webhook.test`, about no ticket."""
    body = msgspec.json.encode({"type": "cx.webhook.test", "timestamp": now, "data": {"subscription": subscription.name}})
    return f"msg_test_{chance}", body
