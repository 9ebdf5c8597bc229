"""Schema drift: how a set of columns differs from the contract, and what the written policy says about each difference."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from stream.core.contract.rows import IDENTITIES, ROW_TYPES
from stream.core.records import Difference


class Kind(StrEnum):
    """The kinds of difference the policy names."""

    UNKNOWN_COLUMN = "unknown_column"
    MISSING_OPTIONAL_COLUMN = "missing_optional_column"
    MISSING_REQUIRED_COLUMN = "missing_required_column"
    RETYPED_COLUMN = "retyped_column"
    NEW_ENUM_VALUE = "new_enum_value"


class Action(StrEnum):
    """What the policy can say."""

    CARRY = "carry"  # take the column's value into custom_metrics (ticket_signals only; elsewhere the same as ignore)
    IGNORE = "ignore"
    NULL = "null"  # go on with null for the missing column
    QUARANTINE = "quarantine"  # dead-letter the record
    STOP = "stop"  # stop the worker before anything is acknowledged


ALLOWED: dict[Kind, frozenset[Action]] = {
    Kind.UNKNOWN_COLUMN: frozenset({Action.CARRY, Action.IGNORE, Action.QUARANTINE, Action.STOP}),
    Kind.MISSING_OPTIONAL_COLUMN: frozenset({Action.NULL, Action.QUARANTINE, Action.STOP}),
    Kind.MISSING_REQUIRED_COLUMN: frozenset({Action.QUARANTINE, Action.STOP}),
    Kind.RETYPED_COLUMN: frozenset({Action.QUARANTINE, Action.STOP}),
    Kind.NEW_ENUM_VALUE: frozenset({Action.QUARANTINE, Action.STOP}),
}


class PolicyError(Exception):
    """The policy file says something that cannot be done; the message names the key and what is allowed."""


class DriftPolicy(Struct, frozen=True):
    """One action per kind of difference, with exceptions per `table.column`."""

    actions: dict[Kind, Action]
    exceptions: dict[tuple[Kind, str], Action]

    def action(self, difference: Difference) -> Action:
        kind = Kind(difference.kind)
        return self.exceptions.get((kind, f"{difference.table}.{difference.column}"), self.actions[kind])


def parse_policy(document: Mapping[str, object]) -> DriftPolicy:
    """Read the policy file's document: {kind: action} or {kind: {default: action, table.column: action}}."""
    actions: dict[Kind, Action] = {}
    exceptions: dict[tuple[Kind, str], Action] = {}
    for kind in Kind:
        entry = document.get(kind.value)
        lines = entry if isinstance(entry, Mapping) else {"default": entry}
        for column, action in {"default": None, **lines}.items():
            checked = _checked(kind, action)
            if column == "default":
                actions[kind] = checked
            else:
                exceptions[kind, column] = checked
    unknown = set(document) - set(Kind)
    if unknown:
        raise PolicyError(f"drift policy: unknown kind {', '.join(sorted(unknown))}; the kinds are {', '.join(Kind)}")
    return DriftPolicy(actions, exceptions)


def _checked(kind: Kind, action: object) -> Action:
    if action in ALLOWED[kind]:
        return Action(str(action))
    raise PolicyError(f"drift policy: {kind.value} cannot be {action!r}; allowed: {', '.join(sorted(ALLOWED[kind]))}")


def column_differences(table: str, columns: Iterable[str]) -> tuple[Difference, ...]:
    """How these columns of a captured table differ from the contract, in the order of their names."""
    found, expected = set(columns), set(ROW_TYPES[table].__struct_fields__)
    unknown = [Difference(table, Kind.UNKNOWN_COLUMN, column) for column in sorted(found - expected)]
    missing = [Difference(table, _missing(table, column), column) for column in sorted(expected - found)]
    return tuple(unknown + missing)


def _missing(table: str, column: str) -> Kind:
    return Kind.MISSING_OPTIONAL_COLUMN if column in OPTIONAL[table] else Kind.MISSING_REQUIRED_COLUMN


def _optional_columns(table: str) -> frozenset[str]:
    annotations = ROW_TYPES[table].__annotations__
    return frozenset(name for name, kind in annotations.items() if kind_allows_null(kind)) - set(IDENTITIES[table])


def kind_allows_null(kind: object) -> bool:
    """Whether a field's type admits null."""
    return type(None) in getattr(kind, "__args__", ())


OPTIONAL: dict[str, frozenset[str]] = {table: _optional_columns(table) for table in ROW_TYPES}
