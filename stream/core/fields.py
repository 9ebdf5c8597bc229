"""Field by field: the first value of a row that breaks the contract, and which of the closed reasons that is."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NamedTuple, get_origin

import msgspec

from stream.core.changes import is_in_range, metrics_of
from stream.core.contract.rows import IDENTITIES, ROW_TYPES, Uuid, is_well_formed
from stream.core.drift import Kind, kind_allows_null
from stream.core.envelope import SENTINEL
from stream.core.reasons import Reason


class Fault(NamedTuple):
    """What is wrong with which field. `drift` is the kind of schema drift it may be a sign of."""

    field: str
    reason: Reason
    detail: str
    drift: Kind | None


DRIFT = {Reason.WRONG_TYPE: Kind.RETYPED_COLUMN, Reason.UNKNOWN_ENUM_VALUE: Kind.NEW_ENUM_VALUE}


def first_fault(table: str, row: dict[str, Any]) -> Fault | None:
    """The first field, identity first, that breaks the contract; None for a good row."""
    annotations = ROW_TYPES[table].__annotations__
    for field in sorted(annotations, key=lambda name: name not in IDENTITIES[table]):
        value = row.get(field)
        reason = _field_fault(annotations[field], field, value)
        if reason is not None:
            if field in IDENTITIES[table] and reason is Reason.MISSING_VALUE:
                reason = Reason.MISSING_IDENTITY
            return Fault(field, reason, f"{field} = {shorten(value)}", DRIFT.get(reason))
    return None


def _field_fault(kind: Any, field: str, value: object) -> Reason | None:
    if value is None:
        return None if kind_allows_null(kind) else Reason.MISSING_VALUE
    if field == "custom_metrics":
        return _metrics_fault(value)
    if contains(value, lambda text: "\0" in text):
        return Reason.NUL_BYTE
    if field == "sentiment_score":
        return _score_fault(value)
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, ValueError, ArithmeticError):
        return _classify(kind, value)
    return None if not isinstance(value, str) or is_well_formed(kind, value) else _classify(kind, value)


def _metrics_fault(value: object) -> Reason | None:
    metrics = metrics_of(value) if isinstance(value, str) else None
    if metrics is None:
        return Reason.INVALID_METRICS
    return Reason.NUL_BYTE if contains(metrics, lambda text: "\0" in text) else None


def _score_fault(value: object) -> Reason | None:
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return Reason.WRONG_TYPE
        score = Decimal(str(value))
    except (InvalidOperation, ValueError):
        return Reason.WRONG_TYPE
    return None if is_in_range(score) else Reason.OUT_OF_RANGE


def _classify(kind: Any, value: object) -> Reason:
    """The reason for which a non-null value is not of this kind."""
    plain = plain_type(kind)
    if plain is int and isinstance(value, int) and not isinstance(value, bool):
        return Reason.OUT_OF_RANGE
    if plain is not int and isinstance(value, str):
        return _classify_text(plain, kind, value)
    texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return Reason.TOO_LONG if texts and get_origin(plain) is list else Reason.WRONG_TYPE


def _classify_text(plain: Any, kind: Any, value: str) -> Reason:
    if plain is datetime:
        return Reason.INVALID_TIMESTAMP
    if get_origin(plain) is Literal:
        return Reason.UNKNOWN_ENUM_VALUE
    if plain is not str:
        return Reason.WRONG_TYPE
    if kind is Uuid:
        return Reason.INVALID_UUID
    if not value:
        return Reason.MISSING_VALUE
    return Reason.TOO_LONG if is_well_formed(kind, value) else Reason.INVALID_URL


def plain_type(kind: Any) -> Any:
    """The type without its limits and without `| None`."""
    while True:
        members = [member for member in getattr(kind, "__args__", ()) if member is not type(None)]
        if hasattr(kind, "__metadata__"):
            kind = kind.__origin__
        elif kind_allows_null(kind):
            kind = members[0]
        else:
            return kind


def unavailable(value: object) -> bool:
    """Whether the value is, or holds anywhere in it, the sentinel for an unchanged value that was not sent."""
    return contains(value, lambda text: SENTINEL in text)


def contains(value: object, test: Callable[[str], bool]) -> bool:
    """Whether any text in a JSON value passes the test."""
    if isinstance(value, str):
        return test(value)
    if isinstance(value, list):
        return any(contains(item, test) for item in value)
    if isinstance(value, dict):
        return any(test(key) or contains(item, test) for key, item in value.items())
    return False


def shorten(value: object) -> str:
    """A value as it may appear in a detail: at most 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
