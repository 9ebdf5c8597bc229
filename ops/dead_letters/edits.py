"""Edits of a dead letter's record: `--set field=value`, `--set custom_metrics.name=value`. Pure.

Everything that is not edited keeps its bytes: numbers keep their spelling, the envelope its position.
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from ops.dead_letters.visible import visible
from stream.core.contract.rows import IDENTITIES, ROW_TYPES
from stream.core.drift import kind_allows_null
from stream.core.fields import plain_type

METRICS = "custom_metrics"
FIELDS = frozenset(field for row in ROW_TYPES.values() for field in row.__struct_fields__)
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)


class BadEdit(Exception):
    """An edit that cannot be made; the message says why."""


class Assignment(NamedTuple):
    """One `--set`: the field, the path inside custom_metrics (else empty), the value as it was typed."""

    field: str
    path: tuple[str, ...]
    text: str

    @property
    def name(self) -> str:
        return ".".join((self.field, *self.path))


class Edit(NamedTuple):
    """One change that was made, as it is kept: JSON values whose control characters are written out."""

    field: str
    old: Any
    new: Any


def parse_assignment(text: str) -> Assignment:
    """Read `field=value`. Raises BadEdit for a field that no contract knows."""
    name, equals, value = text.partition("=")
    field, *path = name.strip().split(".")
    if not equals or not field or not all(path):
        raise BadEdit(f"--set {text!r}: write field=value")
    if field not in FIELDS:
        raise BadEdit(f"--set {name}: no such field; the contract has {', '.join(sorted(FIELDS))}")
    if path and field != METRICS:
        raise BadEdit(f"--set {name}: only {METRICS} has fields of its own")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadEdit(f"--set {name}: the value is not UTF-8") from error
    return Assignment(field, tuple(path), value)


def edit(payload: bytes | None, table: str, assignments: Sequence[Assignment]) -> tuple[bytes | None, list[Edit]]:
    """The record's value with these fields set, and what that changed. Raises BadEdit."""
    if not assignments:
        return payload, []
    envelope = _object(payload or b"", "the record is no JSON object")
    row = _object(envelope.get("after", b"null"), "the record holds no row")
    edits = [_set(row, table, one) for one in assignments]
    envelope["after"] = Raw(msgspec.json.encode(row))
    return msgspec.json.encode(envelope), edits


def _set(row: dict[str, Raw], table: str, one: Assignment) -> Edit:
    known = ROW_TYPES[table].__annotations__ if table in ROW_TYPES else {}
    if one.field not in known:
        raise BadEdit(f"{table} has no field {one.field}")
    old = _value(row.get(one.field))
    if one.field in IDENTITIES[table] and isinstance(old, str) and old:
        raise BadEdit(f"{one.field} names whose record this is and cannot be changed")
    if one.path:
        return _set_metric(row, one, old)
    new = typed(one.text, known[one.field])
    row[one.field] = Raw(msgspec.json.encode(new))
    return Edit(one.field, shown(old), shown(new))


def _set_metric(row: dict[str, Raw], one: Assignment, text: object) -> Edit:
    """custom_metrics travels as JSON text inside the row's JSON."""
    metrics = _object(str(text or "{}").encode(errors="surrogatepass"), f"{METRICS} is no JSON object: set it whole first")
    levels = [metrics]
    for name in one.path[:-1]:
        levels.append(_object(levels[-1].get(name, b"{}"), f"{one.name}: {name} is no object"))
    old = _value(levels[-1].get(one.path[-1]))
    new = _json_or_text(one.text)
    levels[-1][one.path[-1]] = Raw(msgspec.json.encode(new))
    for depth in range(len(levels) - 1, 0, -1):
        levels[depth - 1][one.path[depth - 1]] = Raw(msgspec.json.encode(levels[depth]))
    row[METRICS] = Raw(msgspec.json.encode(msgspec.json.encode(metrics).decode()))
    return Edit(one.name, shown(old), shown(new))


def typed(text: str, kind: Any) -> Any:
    """What a person typed as the JSON value that the contract's type has on its way: numbers and lists as JSON, else text."""
    if text == "null" and kind_allows_null(kind):
        return None
    plain = plain_type(kind)
    if plain is not int and getattr(plain, "__origin__", None) is not list:
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        example = "3" if plain is int else '["refund", "late"]'
        raise BadEdit(f"{text!r} is not JSON; write it like {example}") from error


def shown(value: Any) -> Any:
    """A value as JSON that any database stores and any terminal shows."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, list):
        return [shown(item) for item in value]
    if isinstance(value, dict):
        return {visible(name): shown(item) for name, item in value.items()}
    return value


def _json_or_text(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except _UNREADABLE:
        return text


def _object(data: bytes | Raw, otherwise: str) -> dict[str, Raw]:
    try:
        return _OBJECT.decode(data)
    except _UNREADABLE as error:
        raise BadEdit(otherwise) from error


def _value(raw: Raw | None) -> Any:
    return None if raw is None else msgspec.json.decode(raw)
