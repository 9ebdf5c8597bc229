"""From one raw value to one stored value: null markers, value maps, times, templates, types. Pure.

`compile_*` looks at the mapping once and returns a small function that runs per row. Those functions raise
Unreadable(column, value, reason); nothing else knows about a single value.
"""

import json
import math
from collections.abc import Callable, Collection
from collections.abc import Mapping as Object
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

import msgspec

from connectors.imports import times
from connectors.imports.errors import Unreadable
from connectors.imports.mapping import Field, Mapping, placeholders

Values = list[str] | dict[str, Any]  # one row as the reader gives it
Get = Callable[[Any], Any]  # row -> raw value or None
Read = Callable[[Any], Any]  # row -> stored value or None
Known = Object[str, object]  # what was read before: source_system, ticket_id, version


class Compiler:
    """Everything the compiled functions need to know about a file and its mapping.

    Args:
        header: column names of a CSV file; None for JSONL, where a dotted name reaches into nested objects.
        end: what ages count back from.
    """

    def __init__(self, mapping: Mapping, header: list[str] | None, end: datetime) -> None:
        self.mapping, self.end = mapping, end
        self._positions = {name: position for position, name in enumerate(header)} if header is not None else None

    def get(self, column: str, field: Field) -> Get:
        """The raw value of a column, None where it is a null marker."""
        nulls = frozenset(self.mapping.nulls if field.nulls is None else field.nulls)
        if self._positions is None:
            return _get_from_object(column, nulls)
        position = self._positions[column]

        def get(values: list[str]) -> str | None:
            value = values[position]
            return None if value in nulls else value

        return get

    def text(self, key: str, field: Field) -> Read:
        """A column or constant as text, through its value map."""
        if field.constant is not None:
            constant = _null_word(field.constant)
            return lambda _: constant
        if field.template is not None:
            return self.template(field)
        column = field.column or ""
        get, table, when_null = self.get(column, field), _value_map(field), field.when_null
        if table is None and self._positions is not None:
            return get if when_null is None else lambda values: when_null if (found := get(values)) is None else found

        def read(values: Values) -> str | None:
            value = get(values)
            if value is None:
                return when_null
            text = as_text(value)
            if table is None:
                return text
            try:
                return table[text.casefold() if field.ignore_case else text]
            except KeyError:
                return _unmapped(column, text, field)

        return read

    def template(self, field: Field) -> Read:
        """A template over columns of the row alone."""
        read = self.late_template(field, (), quoted=False)
        return lambda values: read(values, {})

    def late_template(self, field: Field, known_names: Collection[str], quoted: bool) -> Callable[[Any, Known], str | None]:
        """A template over columns and what was read before; null when one of them is. `quoted` makes values safe in a URL."""
        text = field.template or ""
        names = list(dict.fromkeys(placeholders(text)))
        getters = {name: self.get(name, field) for name in names if name not in known_names}

        def read(values: Values, known: Known) -> str | None:
            found = {name: getters[name](values) if name in getters else known[name] for name in names}
            if None in found.values():
                return None
            return text.format_map({name: quote(as_text(value), safe="") if quoted else value for name, value in found.items()})

        return read

    def time(self, field: Field) -> Read:
        """A column as an instant."""
        column, raw = field.column or "constant", self.text("", field)
        formats = [field.time or "iso"] if not isinstance(field.time, list) else field.time
        parse = times.reader(formats, field.timezone or self.mapping.timezone, self.mapping.clock_change, self.end)

        def read(values: Values) -> datetime | None:
            text = raw(values)
            if text is None:
                return None
            try:
                return parse(text)
            except ValueError as error:
                raise Unreadable(column, text, str(error)) from None

        return read

    def number(self, field: Field) -> Read:
        """A column as an exact finite number."""
        column, raw = field.column or "constant", self.text("", field)

        def read(values: Values) -> Decimal | None:
            text = raw(values)
            return None if text is None else decimal(column, text)

        return read

    def tags(self, field: Field) -> Read:
        """A column as a list of tags: split, or a JSON list, or one tag."""
        raw, separator = self.text("", field), field.split
        if field.column is None or self._positions is not None:
            return lambda values: _tags(raw(values), separator)
        get = self.get(field.column, field)
        return lambda values: _tags(found if isinstance(found := get(values), list) else raw(values), separator)

    def metric(self, name: str, field: Field) -> Read:
        """A column as a value inside custom_metrics."""
        if field.type == "json" and field.column and self._positions is None:
            return self.get(field.column, field)
        column, raw, convert = field.column or name, self.text("", field), METRIC_TYPES[field.type]

        def read(values: Values) -> object:
            text = raw(values)
            return None if text is None else convert(column, text)

        return read


def as_text(value: object) -> str:
    """A JSON value as the text a CSV would hold."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def decimal(column: str, text: str) -> Decimal:
    """Text as an exact finite number."""
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        raise Unreadable(column, text, "is not a number") from None
    if not number.is_finite() or abs(number.adjusted()) > 1000:
        raise Unreadable(column, text, "is not a finite number")
    return number


def integer(column: str, text: str) -> int:
    """Text as a whole number that a bigint holds."""
    number = decimal(column, text)
    if number != number.to_integral_value() or not -(2**63) <= number < 2**63:
        raise Unreadable(column, text, "is not a whole number between -2^63 and 2^63")
    return int(number)


def _float(column: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise Unreadable(column, text, "is not a number") from None
    if not math.isfinite(number):
        raise Unreadable(column, text, "is not a finite number")
    return number


def _boolean(column: str, text: str) -> bool:
    known = {"true": True, "t": True, "yes": True, "1": True, "false": False, "f": False, "no": False, "0": False}
    if text.strip().lower() not in known:
        raise Unreadable(column, text, "is neither true nor false")
    return known[text.strip().lower()]


def _json(column: str, text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise Unreadable(column, text, f"is not JSON: {error}") from None


METRIC_TYPES: dict[str, Callable[[str, str], object]] = {
    "text": lambda _, text: text,
    "integer": integer,
    "number": _float,
    "boolean": _boolean,
    "json": _json,
}


def _null_word(text: str) -> str | None:
    return None if text in ("null", "~") else text


def _value_map(field: Field) -> dict[str, str | None] | None:
    if field.values is None:
        return None
    return {(raw.casefold() if field.ignore_case else raw): _null_word(stored) for raw, stored in field.values.items()}


def _unmapped(column: str, text: str, field: Field) -> str | None:
    if field.otherwise is not None:
        return _null_word(field.otherwise)
    if field.unmapped == "reject":
        raise Unreadable(column, text, f"is not among the mapped values ({', '.join(field.values or {})})")
    return text if field.unmapped == "keep" else None


def _tags(value: str | list[Any] | None, separator: str | None) -> list[str]:
    if value is None:
        return []
    tags = [as_text(tag) for tag in value] if isinstance(value, list) else value.split(separator) if separator else [value]
    return list(dict.fromkeys(stripped for tag in tags if (stripped := tag.strip())))


def _get_from_object(column: str, nulls: frozenset[str]) -> Get:
    path = column.split(".")

    def get(values: dict[str, Any]) -> Any:
        value = values.get(column)
        if value is None and len(path) > 1:
            value = _walk(values, path)
        return None if isinstance(value, str) and value in nulls else value

    return get


def _walk(value: Any, path: list[str]) -> Any:
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value
