"""What a filter means for an event. Pure.

Two truth values: a comparison with a field that is null or absent does not hold, and `not` turns that round, so
`driver != 'Billing'` holds for a ticket without a driver.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connectors.outbound.webhooks.filter_syntax import (
    All,
    AnyOf,
    Compare,
    Condition,
    Contains,
    Filter,
    FilterError,
    IsNull,
    Not,
    OneOf,
    Value,
    conditions,
)  # fmt: skip

TEXT, NUMBER, WORDS, LIST, OBJECT = "text", "number", "words", "list", "object"


@dataclass(frozen=True)
class Field:
    """What a field of a projection holds. `words`: the only values there are; `is_ordered`: from least to most."""

    kind: str = TEXT
    words: tuple[str, ...] = ()
    is_ordered: bool = False


Fields = Mapping[str, Field]


def check(tree: Filter, fields: Fields) -> None:
    """Raise FilterError at the first condition that names an unknown field or asks what its field cannot answer."""
    for condition in conditions(tree):
        field = _field(condition, fields)
        if field is not None:
            _check_condition(condition, field)


def holds(tree: Filter, event: Mapping[str, Any], fields: Fields) -> bool:
    """Whether a checked filter fits an event."""
    match tree:
        case Not(part):
            return not holds(part, event, fields)
        case All(parts):
            return all(holds(part, event, fields) for part in parts)
        case AnyOf(parts):
            return any(holds(part, event, fields) for part in parts)
        case _:
            return _condition_holds(tree, _found(tree.field, event), fields.get(tree.field, Field()))


def _field(condition: Condition, fields: Fields) -> Field | None:
    """The field that a condition names; None: an entry of an object, whose type nobody knows."""
    name, _, entry = condition.field.partition(".")
    field = fields.get(name)
    if field is None:
        raise FilterError(condition.position, f"{name!r} is not a field; known are {', '.join(sorted(fields))}")
    if entry and field.kind != OBJECT:
        raise FilterError(condition.position, f"{name} has no entries; write {name}")
    if not entry and field.kind == OBJECT and not isinstance(condition, IsNull):
        raise FilterError(condition.position, f"{name} is an object: name an entry, like {name}.handle_time")
    return None if entry else field


def _check_condition(condition: Condition, field: Field) -> None:
    name, place = condition.field, condition.position
    if isinstance(condition, Contains) != (field.kind == LIST) and not isinstance(condition, IsNull):
        raise FilterError(place, f"{name} is {'a list: ask with contains' if field.kind == LIST else 'not a list'}")
    asks_order = isinstance(condition, Compare) and condition.operator not in ("=", "!=")
    if asks_order and field.kind == WORDS and not field.is_ordered:
        raise FilterError(place, f"{name} has no order: use = or in")
    for value in _values(condition):
        _check_value(condition, field, value)


def _check_value(condition: Condition, field: Field, value: Value) -> None:
    if field.kind == WORDS and value not in field.words:
        raise FilterError(condition.position, f"{str(value)!r} is no {condition.field}; known are {', '.join(field.words)}")
    if (field.kind == NUMBER) != isinstance(value, Decimal):
        wanted = "a number" if field.kind == NUMBER else "a text: put it in quotes"
        raise FilterError(condition.position, f"{condition.field} is compared with {wanted}")


def _values(condition: Condition) -> tuple[Value, ...]:
    match condition:
        case OneOf(_, values):
            return values
        case IsNull():
            return ()
        case _:
            return (condition.value,)


def _found(path: str, event: Mapping[str, Any]) -> Any:
    found: Any = event
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _condition_holds(condition: Condition, found: Any, field: Field) -> bool:
    match condition:
        case IsNull():
            return found is None
        case Contains(_, value):
            return isinstance(found, list) and any(_equal(item, value) for item in found)
        case OneOf(_, values):
            return any(_equal(found, value) for value in values)
        case Compare(_, "=", value):
            return _equal(found, value)
        case Compare(_, "!=", value):
            return not _equal(found, value)
        case Compare(_, operator, value):
            return _ordered(found, operator, value, field)


def _equal(found: Any, value: Value) -> bool:
    if isinstance(value, Decimal):
        return _is_number(found) and Decimal(str(found)) == value
    return isinstance(found, str) and found == value


def _ordered(found: Any, operator: str, value: Value, field: Field) -> bool:
    """Whether a value stands before or after another: words by their place, numbers as numbers, texts by code point."""
    if field.is_ordered:
        if found not in field.words:
            return False
        return _compare(field.words.index(found), operator, field.words.index(str(value)))
    if isinstance(value, Decimal):
        return _is_number(found) and _compare(Decimal(str(found)), operator, value)
    return isinstance(found, str) and _compare(found, operator, value)


def _is_number(found: Any) -> bool:
    return isinstance(found, int | float | Decimal) and not isinstance(found, bool)


def _compare(left: Any, operator: str, right: Any) -> bool:
    return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator])
