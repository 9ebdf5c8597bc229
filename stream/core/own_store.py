"""An enrichment store with table and column names of its own: its records as those of ours. Pure.

The mapping says, per field of the contract, where its value comes from. A translated record is an ordinary one: rules,
dead letters and replays know nothing of the mapping. What cannot be read goes on as it is, and `decode` says why.
"""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from stream.core.contract.rows import IDENTITIES, ROW_TYPES
from stream.core.drift import kind_allows_null
from stream.core.envelope import SENTINEL
from stream.core.fields import plain_type
from stream.core.records import RawRecord, Record

METRICS = "custom_metrics"
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError, ArithmeticError)
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS = {"column", "constant", "template", "uuid_of", "microseconds_of"}


class MappingError(Exception):
    """The mapping file says something that cannot be done; the message names the place and what is allowed."""


class Origin(NamedTuple):
    """Where a field comes from: exactly one of the five kinds, and for a column the values to rename."""

    kind: str
    text: Any  # a column's name, a constant, or a template with {column} in it
    values: Mapping[str, Any] = {}

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the store that it reads."""
        if self.kind == "constant":
            return ()
        return placeholders(self.text) if self.kind in ("template", "uuid_of") else (self.text,)


class OwnTable(Struct, frozen=True):
    """One captured table under its own name: `relation` is schema.table; `metrics` are columns taken into custom_metrics."""

    relation: str
    fields: dict[str, Origin]
    metrics: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read, once, in the order of the mapping."""
        named = [column for origin in self.fields.values() for column in origin.columns]
        return tuple(dict.fromkeys([*named, *self.metrics]))

    def filled(self, table: str, columns: Collection[str]) -> list[str]:
        """The contract's fields that these columns of the store can fill; those that nobody mapped are null."""
        return [
            field
            for field in ROW_TYPES[table].__struct_fields__
            if field not in self.fields or set(self.fields[field].columns) <= set(columns)
        ]

    def key_columns(self, table: str) -> tuple[str, ...]:
        """The columns that identify a row, in the order of the identity."""
        return tuple(dict.fromkeys(column for field in IDENTITIES[table] for column in self.fields[field].columns))


StoreMapping = Mapping[str, OwnTable]  # by the contract's table


def parse_mapping(document: Any) -> dict[str, OwnTable]:
    """Read a mapping file's document. Raises MappingError."""
    if not isinstance(document, dict) or not document or set(document) - set(ROW_TYPES):
        raise MappingError(f"the mapping names tables of the contract: {', '.join(ROW_TYPES)}")
    if "ticket_signals" not in document:
        raise MappingError("the mapping must say where ticket_signals comes from")
    return {table: _table(table, entry) for table, entry in document.items()}


def _table(table: str, entry: Any) -> OwnTable:
    known = {"table", "columns", "metrics"}
    if not isinstance(entry, dict) or set(entry) - known or str(entry.get("table", "")).count(".") != 1:
        raise MappingError(f"{table}: has `table: schema.table`, `columns:` and, if wanted, `metrics:`")
    fields = {field: _origin(f"{table}.{field}", value) for field, value in (entry.get("columns") or {}).items()}
    unknown = sorted(set(fields) - set(ROW_TYPES[table].__struct_fields__))
    if unknown:
        raise MappingError(f"{table}: the contract has no {', '.join(unknown)}")
    missing = [
        field for field, kind in ROW_TYPES[table].__annotations__.items() if field not in fields and not kind_allows_null(kind)
    ]
    if missing:
        raise MappingError(f"{table}: {', '.join(missing)} must be mapped: the contract requires it")
    metrics = tuple(entry.get("metrics") or ())
    if metrics and table != "ticket_signals":
        raise MappingError(f"{table}: only ticket_signals has metrics")
    own = OwnTable(entry["table"], fields, metrics)
    if not own.key_columns(table):
        raise MappingError(f"{table}: at least one column of the store must identify a row")
    return own


def _origin(place: str, value: Any) -> Origin:
    if isinstance(value, str):
        return Origin("column", value)
    kinds = _KINDS & set(value) if isinstance(value, dict) else set()
    if len(kinds) != 1 or set(value) - kinds - {"values"}:
        raise MappingError(f"{place}: write a column's name, or one of {', '.join(sorted(_KINDS))}")
    kind = kinds.pop()
    if "values" in value and kind != "column":
        raise MappingError(f"{place}: only the values of a column can be renamed")
    if kind != "constant" and not isinstance(value[kind], str):
        raise MappingError(f"{place}: {kind} wants a text")
    return Origin(kind, value[kind], {str(old): new for old, new in (value.get("values") or {}).items()})


def placeholders(template: str) -> tuple[str, ...]:
    """The columns that a template names in braces."""
    return tuple(_PLACEHOLDER.findall(template))


def translate(record: Record, mapping: StoreMapping) -> Record:
    """The record as one of our own store's; the same record when its table is not mapped or it cannot be read."""
    table = record.topic.rpartition(".")[2]
    own = mapping.get(table)
    if own is None or record.value is None:
        return record
    try:
        envelope = _OBJECT.decode(record.value)
        for side in ("before", "after"):
            envelope[side] = _row(own, table, envelope.get(side))
        value = msgspec.json.encode(envelope)
    except _UNREADABLE:
        return record
    return RawRecord(record.topic, record.partition, record.offset, record.timestamp, _key(own, table, record.key), value)


def _key(own: OwnTable, table: str, key: bytes | None) -> bytes | None:
    try:
        columns = _OBJECT.decode(key or b"")
        return msgspec.json.encode({field: _field(own, table, field, columns) for field in IDENTITIES[table]})
    except (KeyError, *_UNREADABLE):
        return key


def _row(own: OwnTable, table: str, row: Raw | None) -> Raw:
    """A row under the contract's names. A field whose column is missing is missing: the drift policy decides about it."""
    if row is None or bytes(row) == b"null":
        return Raw(b"null")
    columns = _OBJECT.decode(row)
    fields: dict[str, Any] = {
        field: _field(own, table, field, columns) for field, origin in own.fields.items() if columns.keys() >= set(origin.columns)
    }
    for field in ROW_TYPES[table].__struct_fields__:
        if field not in own.fields:
            fields[field] = None
    if own.metrics:
        fields[METRICS] = _metrics(fields.get(METRICS), {name: columns[name] for name in own.metrics if name in columns})
    return Raw(msgspec.json.encode(fields))


def _field(own: OwnTable, table: str, field: str, columns: Mapping[str, Raw]) -> Any:
    origin = own.fields[field]
    if origin.kind == "constant":
        return origin.text
    values = {column: columns[column] for column in origin.columns}
    if origin.kind == "column":
        return _renamed(origin, values[origin.text], ROW_TYPES[table].__annotations__[field])
    texts = {column: _text(value) for column, value in values.items()}
    if None in texts.values():
        return None
    if any(SENTINEL in str(text) for text in texts.values()):
        return SENTINEL
    if origin.kind == "microseconds_of":
        return _microseconds(str(texts[origin.text]))
    filled = _PLACEHOLDER.sub(lambda match: str(texts[match[1]]), origin.text)
    return filled if origin.kind == "template" else str(UUID(md5(filled.encode(), usedforsecurity=False).hexdigest()))


def _renamed(origin: Origin, value: Raw, kind: Any) -> Any:
    """The column's value; a number where the contract has text becomes text, digits where it has a number a number."""
    text = _text(value)
    if origin.values and text is not None and text in origin.values:
        return origin.values[text]
    plain, decoded = plain_type(kind), msgspec.json.decode(value)
    if isinstance(decoded, int | float) and not isinstance(decoded, bool) and plain is not int:
        return text
    if plain is int and isinstance(decoded, str) and decoded.isascii() and decoded.isdigit():
        return int(decoded)
    return value


def _text(value: Raw) -> str | None:
    """A scalar as text, numbers as they are spelled."""
    raw = bytes(value)
    if raw == b"null":
        return None
    return str(msgspec.json.decode(raw)) if raw[:1] == b'"' else raw.decode()


def _microseconds(text: str) -> int | str:
    """Microseconds since 1970 of a time, UTC unless it says otherwise; a text that is no time stays, and is rejected."""
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return text
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _metrics(metrics: Any, columns: Mapping[str, Raw]) -> Any:
    """custom_metrics as JSON text with these columns in it; a metric of the same name is kept."""
    text = metrics if isinstance(metrics, str) else _text(metrics) if isinstance(metrics, Raw) else None
    if text is not None and SENTINEL in text:
        return SENTINEL
    known = _OBJECT.decode(text) if text else {}
    return msgspec.json.encode({**columns, **known}).decode()
