"""One row of an export to one row of the store, or the reason why not. Pure: compiled once per file, run once per row."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from connectors.imports import columns
from connectors.imports.errors import Unreadable
from connectors.imports.mapping import Field, Fields, Mapping, placeholders
from connectors.imports.reading import Row
from connectors.imports.taxonomy import Lookup
from connectors.imports.values import Compiler, Read, integer

_encode_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
NUL = "holds a NUL character, which PostgreSQL cannot store"
KEY_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "cx-signals/idempotency-key")


@dataclass(slots=True)
class Signal:
    """One row as it would be stored. Field names are the store's columns; `custom_metrics` is JSON text."""

    event_id: uuid.UUID
    occurred_at: datetime | None
    source_system: str
    ticket_id: str
    account_id: str | None
    sentiment: str | None
    sentiment_score: Decimal | None
    churn_risk: str | None
    effort: str | None
    raw_tags: list[str]
    canonical_tag: str | None
    driver: str | None
    custom_metrics: str
    evidence_url: str | None
    evidence_quote: str | None
    idempotency_key: str
    version: int
    is_last: bool = True  # no later row of the file holds the same ticket (known when occurrences are counted)
    account: tuple[str | None, ...] | None = None  # name, plan, segment, owner, where the mapping reads accounts from rows

    @property
    def identity(self) -> tuple[str, str]:
        return self.source_system, self.ticket_id

    def as_stored(self) -> dict[str, Any]:
        """The row by column name, for a person."""
        stored = {name: getattr(self, name) for name in columns.TICKET_COLUMNS}
        return {**stored, "custom_metrics": json.loads(self.custom_metrics)}


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that is not stored: where, what, why, and the whole row."""

    line: int
    column: str
    value: str
    reason: str
    text: str


Number = Callable[[str, str], tuple[int, int]]  # (identity, row text) -> (n, total) occurrences


def event_id(idempotency_key: str) -> uuid.UUID:
    """The id of the event that a key names: version 5, so that every run gives the same."""
    return uuid.uuid5(KEY_NAMESPACE, idempotency_key)


class Conversion:
    """Compiled from a mapping, the header (None for JSONL), the taxonomy, and the instant that ages count back from."""

    def __init__(self, mapping: Mapping, header: list[str] | None, lookup: Lookup | None, end: datetime) -> None:
        compiler, fields = Compiler(mapping, header, end), mapping.fields
        self._fields, self._lookup, self._compiler = fields, lookup, compiler
        self._source_system = compiler.text("source_system", fields.source_system)
        self._ticket_id = compiler.text("ticket_id", fields.ticket_id)
        self._version = _version(compiler, fields.version)
        self._occurred_at = compiler.time(fields.occurred_at)
        self._score = compiler.number(fields.sentiment_score) if fields.sentiment_score else _nothing
        self._tags = compiler.tags(fields.raw_tags) if fields.raw_tags else lambda _: []
        self._texts = {name: _text(compiler, fields, name) for name in ("account_id", *columns.ALLOWED, "evidence_quote")}
        self._canonical = compiler.text("canonical_tag", fields.canonical_tag) if fields.canonical_tag else None
        self._driver = compiler.text("driver", fields.driver) if fields.driver else None
        self._url = _late(compiler, fields.evidence_url, quoted=True)
        self._key = _late(compiler, fields.idempotency_key)
        self._event_id = _late(compiler, fields.event_id) if fields.event_id else None
        self._metrics = [(name, compiler.metric(name, field)) for name, field in mapping.metrics.items()]
        self._account = _account(compiler, mapping)
        self._unchecked = {name for name in columns.REQUIRED if not getattr(fields, name).validate}

    def identity(self, row: Row) -> tuple[str, str]:
        """(source_system, ticket_id); raises Unreadable when either is null."""
        source_system, ticket_id = self._source_system(row.values), self._ticket_id(row.values)
        for name, value in (("source_system", source_system), ("ticket_id", ticket_id)):
            if not value:
                field = getattr(self._fields, name)
                raise Unreadable(field.column or name, value, "is empty, but it is part of the ticket's identity")
        return source_system, ticket_id

    def convert(self, row: Row, number: Number | None) -> Signal | Rejection:
        """The stored form of a row, or why there is none; `number` is needed when the mapping counts occurrences."""
        try:
            source_system, ticket_id = self.identity(row)
            n, total = number(f"{source_system}\t{ticket_id}", row.text) if number else (self._read_version(row), 0)
            _refuse_nul(row)
            known = {"source_system": source_system, "ticket_id": ticket_id, "version": n}
            return self._signal(row, known, is_last=total in (0, n))
        except Unreadable as error:
            value = "" if error.value is None else str(error.value)
            return Rejection(row.line, error.column, value, error.reason, row.text)

    def with_version(self, signal: Signal, row: Row, version: int) -> Signal:
        """The same content as another version: key and event id follow."""
        known: dict[str, Any] = {"source_system": signal.source_system, "ticket_id": signal.ticket_id, "version": version}
        key = self._key(row.values, known)
        return replace(signal, version=version, idempotency_key=key, event_id=self._read_event_id(row, known, key))

    def _read_version(self, row: Row) -> int:
        column = self._fields.version.column or "version"
        text = self._version(row.values)
        version = integer(column, text) if text is not None else 0
        if version < 1:
            raise Unreadable(column, text, "is not a version: a whole number from 1")
        return version

    def _signal(self, row: Row, known: dict[str, Any], is_last: bool) -> Signal:
        values = row.values
        tags = self._tags(values)
        meaning = self._lookup.find(tags) if self._lookup else None
        texts = {name: read(values) for name, read in self._texts.items()}
        key = self._key(values, known)
        if not key:
            raise Unreadable("idempotency_key", key, "is empty")
        signal = Signal(
            event_id=self._read_event_id(row, known, key),
            occurred_at=self._occurred_at(values),
            sentiment_score=self._score(values),
            raw_tags=tags,
            canonical_tag=self._canonical(values) if self._canonical else meaning.canonical_tag if meaning else None,
            driver=self._driver(values) if self._driver else meaning.driver if meaning else None,
            custom_metrics=self._read_metrics(values),
            evidence_url=self._url(values, known),
            idempotency_key=key,
            account=self._account(values) if self._account and texts["account_id"] else None,
            is_last=is_last,
            **texts,
            **known,
        )
        self._check(signal)
        return signal

    def _read_event_id(self, row: Row, known: dict[str, Any], key: str) -> uuid.UUID:
        text = self._event_id(row.values, known) if self._event_id else None
        if text is None:
            return event_id(key)
        try:
            return uuid.UUID(text)
        except ValueError:
            raise Unreadable("event_id", text, "is not a UUID") from None

    def _read_metrics(self, values: Any) -> str:
        found = {name: value for name, read in self._metrics if (value := read(values)) is not None}
        if not found:
            return "{}"
        try:
            text = _encode_json(found)
        except ValueError:
            raise Unreadable("custom_metrics", found, "holds a number that JSON cannot") from None
        if "\\u0000" in text:
            raise Unreadable("custom_metrics", found, NUL)
        return text

    def _check(self, signal: Signal) -> None:
        for name in columns.REQUIRED - self._unchecked:
            value = getattr(signal, name)
            if value is None:
                raise Unreadable(_column(self._fields, name), value, f"is empty, but {name} is required")
            if name in columns.ALLOWED and value not in columns.ALLOWED[name]:
                raise Unreadable(_column(self._fields, name), value, f"is no {name}: {', '.join(columns.ALLOWED[name])}")
            if name == "evidence_url" and not value.startswith(("https://", "http://")):
                raise Unreadable(_column(self._fields, name), value, "is not an http(s) address")


def _column(fields: Fields, name: str) -> str:
    return getattr(fields, name).column or name


def _nothing(_: object) -> None:
    return None


def _text(compiler: Compiler, fields: Fields, name: str) -> Read:
    field: Field | None = getattr(fields, name)
    return compiler.text(name, field) if field else _nothing


def _version(compiler: Compiler, field: Field) -> Read:
    """A version as text: a number as it stands, or a time as milliseconds since 1970."""
    if field.occurrence:
        return _nothing
    if field.time is None:
        return compiler.text("version", field)
    read = compiler.time(field)
    return lambda values: None if (moment := read(values)) is None else str(round(moment.timestamp() * 1000))


def _late(compiler: Compiler, field: Field, quoted: bool = False) -> Callable[[Any, dict[str, Any]], Any]:
    """A field that may name the identity and version in its template."""
    if field.template is None:
        read = compiler.text("", field)
        return lambda values, _: read(values)
    template, known_names = field.template, ("source_system", "ticket_id", "version")
    if not quoted and all(name in known_names for name in placeholders(template)):
        return lambda _, known: template.format_map(known)
    return compiler.late_template(field, known_names, quoted)


def _account(compiler: Compiler, mapping: Mapping) -> Read | None:
    accounts = mapping.accounts
    if accounts is None or not any((accounts.name, accounts.plan, accounts.segment, accounts.owner)):
        return None
    fields: list[Field | None] = [accounts.name, accounts.plan, accounts.segment, accounts.owner]
    reads = [compiler.text("accounts", field) if field else _nothing for field in fields]
    return lambda values: tuple(read(values) for read in reads)


def _refuse_nul(row: Row) -> None:
    if "\0" in row.text or (isinstance(row.values, dict) and "\\u0000" in row.text):
        raise Unreadable("", "", NUL)
