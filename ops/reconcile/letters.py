"""Whether a dead letter is about the very content that a row of the store holds. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

EDITED = "edited"  # replayed with an edit: the warehouse holds other content on purpose
_EMPTY: dict[str, Any] = {"raw_tags": [], "custom_metrics": {}}
_UNSETTLED = ("open", "discarded", EDITED)  # of the others the warehouse holds the content, or the ticket is gone


@dataclass(frozen=True)
class Letter:
    """One dead letter of a ticket. `position` is the newest source position of its record, -1 when it had none."""

    number: int
    reason: str
    status: str
    version: int | None
    content_hash: bytes | None
    position: int
    payload: bytes | None


def holds(letter: Letter, values: Mapping[str, Any], content_hash: bytes | None) -> bool:
    """Whether the letter accounts for a row of the store.

    Args:
        letter: a dead letter of the same ticket.
        values: the row's content as JSON values.
        content_hash: the contract's hash of that content; None when it breaks the contract.
    """
    if letter.status not in _UNSETTLED:
        return False
    if content_hash is not None and letter.content_hash is not None:
        return letter.content_hash == content_hash
    after = _after(letter.payload)
    return after is not None and all(same(column, value, after.get(column)) for column, value in values.items())


def same(column: str, stored: Any, captured: Any) -> bool:
    """Whether Debezium's spelling of a value says what the store's says."""
    stored, captured = _plain(column, stored), _plain(column, captured)
    if isinstance(stored, bool) or isinstance(captured, bool):
        return stored is captured
    return bool(stored == captured)


def _plain(column: str, value: Any) -> Any:
    if value is None:
        return _EMPTY.get(column)
    if column == "custom_metrics" and isinstance(value, str):
        return _json(value, value)
    if column == "occurred_at":
        return _instant(value)
    if column in {"sentiment_score", "version"}:
        return _number(value)
    return value


def _after(payload: bytes | None) -> dict[str, Any] | None:
    envelope = _json(payload, None) if payload else None
    after = envelope.get("after") if isinstance(envelope, dict) else None
    return after if isinstance(after, dict) else None


def _json(text: str | bytes, otherwise: Any) -> Any:
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return otherwise


def _instant(value: Any) -> Any:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return value


def _number(value: Any) -> Any:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return value
