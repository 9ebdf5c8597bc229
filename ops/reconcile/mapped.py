"""A table of a mapped store as SQL that reads like the contract's: the mapping of `stream.core.own_store` once more. Pure.

What the worker makes of a captured record in Python, the store says here of its own row; a test holds both together.
"""

import re
from collections.abc import Mapping

from ops.backfill.signals import literal
from stream.core.own_store import METRICS, Origin, OwnTable

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_TIMES = ("timestamp", "date")
_INTEGERS = ("smallint", "integer", "bigint")


def quoted(name: str) -> str:
    """A relation or a column as SQL writes it."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def as_contract(own: OwnTable, contract: Mapping[str, str], store_types: Mapping[str, str]) -> str:
    """A subquery with the contract's columns, and `xmin`, of which every query of `queries` may read.

    Args:
        own: the mapped table.
        contract: the contract's columns and their types.
        store_types: the store's columns and their types, as `format_type` spells them.
    """
    fields = {column: _field(own.fields[column], kind, store_types) for column, kind in contract.items() if column in own.fields}
    if own.metrics:
        fields[METRICS] = _metrics(own, fields.get(METRICS), store_types)
    columns = ", ".join(f"{expression} as {column}" for column, expression in fields.items())
    return f"(select xmin, {columns} from {quoted(own.relation)}) as mapped"


def mapped_columns(own: OwnTable, contract: Mapping[str, str]) -> dict[str, str]:
    """The columns that `as_contract` has, and their types: the contract's."""
    return {column: kind for column, kind in contract.items() if column in own.fields or (own.metrics and column == METRICS)}


def identity(own: OwnTable, columns: tuple[str, ...], contract: Mapping[str, str], store_types: Mapping[str, str]) -> list[str]:
    """The identity as expressions over the store's own columns, for the conditions that Debezium puts into its reads."""
    return [_field(own.fields[column], contract[column], store_types) for column in columns]


def _field(origin: Origin, kind: str, store_types: Mapping[str, str]) -> str:
    if origin.kind == "constant":
        return _literal(origin.text, kind)
    if origin.kind == "microseconds_of":
        return f"(extract(epoch from {quoted(origin.text)}) * 1000000)::bigint"
    if origin.kind in ("template", "uuid_of"):
        filled = _filled(origin.text, store_types)
        return filled if origin.kind == "template" else f"md5({filled})::uuid"
    return _column(origin, kind, store_types)


def _column(origin: Origin, kind: str, store_types: Mapping[str, str]) -> str:
    column = quoted(origin.text)
    text = _text(origin.text, store_types)
    plain = text if kind == "text" else f"{column}::{kind}"
    if kind == "bigint" and store_types.get(origin.text) not in _INTEGERS:
        plain = rf"case when {text} ~ '^\d{{1,18}}$' then {text}::bigint end"
    if not origin.values:
        return plain
    renamed = " ".join(f"when {literal(old).strip()} then {_literal(new, kind)}" for old, new in origin.values.items())
    return f"case {text} {renamed} else {plain} end"


def _filled(template: str, store_types: Mapping[str, str]) -> str:
    """A template's text; null when one of its columns is."""
    parts = _PLACEHOLDER.split(template)
    pieces = [_text(part, store_types) if number % 2 else literal(part).strip() for number, part in enumerate(parts)]
    return "(" + " || ".join(piece for piece in pieces if piece != "''") + ")"


def _text(column: str, store_types: Mapping[str, str]) -> str:
    """A column as the text that the connector makes of it."""
    kind, name = store_types.get(column, ""), quoted(column)
    if not kind.startswith(_TIMES) or kind == "date":
        return f"{name}::text"
    zone = " || 'Z'" if kind.endswith("with time zone") else ""
    shown = f"{name} at time zone 'UTC'" if zone else name
    return f"""(rtrim(rtrim(to_char({shown}, 'YYYY-MM-DD"T"HH24:MI:SS.US'), '0'), '.'){zone})"""


def _metrics(own: OwnTable, known: str | None, store_types: Mapping[str, str]) -> str:
    """custom_metrics with further columns in it; a metric of the same name is kept."""
    pairs = ", ".join(f"{literal(name).strip()}, {_json(name, store_types)}" for name in own.metrics)
    return f"(jsonb_build_object({pairs}) || coalesce({known or 'null'}::jsonb, '{{}}'::jsonb))"


def _json(column: str, store_types: Mapping[str, str]) -> str:
    """A column as the connector writes it into JSON: numerics and times are texts there."""
    kind = store_types.get(column, "")
    is_text = kind.startswith((*_TIMES, "numeric")) or kind not in (*_INTEGERS, "boolean", "real", "double precision")
    return _text(column, store_types) if is_text else quoted(column)


def _literal(value: object, kind: str) -> str:
    return "null" if value is None else f"{literal(str(value)).strip()}::{kind}"
