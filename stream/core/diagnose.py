"""The slow, exact reading of a record that is not simply good: drifted, unavailable, deleted, or broken and why."""

from typing import Any

import msgspec

from stream.core.changes import UNREADABLE, instant, make_change
from stream.core.contract.rows import IDENTITIES, ROW_TYPES
from stream.core.drift import Action, DriftPolicy, Kind, column_differences
from stream.core.envelope import CHANGES, DELETE, LOOSE, MESSAGE, SENTINEL, TRUNCATE, Envelope
from stream.core.fields import first_fault, unavailable
from stream.core.positions import source_position
from stream.core.reasons import Reason
from stream.core.records import Change, Decoded, Deletion, Difference, Identity, NoEffect, Record, Rejection

JsonObject = dict[str, Any]
_JSON = msgspec.json.Decoder()
_RAW_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])  # keeps the spelling of every number


def diagnose(record: Record, table: str, value: bytes, policy: DriftPolicy) -> Decoded:
    """Say what a record is that the fast path did not take."""
    envelope = _envelope(value)
    if isinstance(envelope, tuple):
        return Rejection(record, table, *envelope, identity=key_identity(record.key, table))
    if envelope.op == MESSAGE:
        return NoEffect(record)
    position = source_position(envelope.source.sequence, envelope.source.lsn)
    if envelope.op == TRUNCATE:
        return Rejection(record, table, Reason.TRUNCATE, f"the store's {table} was truncated", None, position)
    before, after = _object(envelope.before), _object(envelope.after)
    identity = _identity(table, after or before) or key_identity(record.key, table)
    if position is None:
        return Rejection(record, table, Reason.MISSING_POSITION, "no source.sequence and no source.lsn", identity)
    if envelope.op == DELETE:
        return _deletion(record, table, envelope, identity, position)
    if envelope.op not in CHANGES:
        return Rejection(record, table, Reason.UNKNOWN_OPERATION, f"op {_shorten(envelope.op)}", identity, position)
    if after is None:
        return Rejection(record, table, Reason.NOT_AN_ENVELOPE, f"op {envelope.op} without a row", identity, position)
    return _change(record, table, envelope, before or {}, after, identity, position, policy)


def _change(
    record: Record, table: str, envelope: Envelope, before: JsonObject, after: JsonObject,
    identity: Identity | None, position: int, policy: DriftPolicy,
) -> Decoded:  # fmt: skip
    """Apply the drift policy to the row's columns, restore what was unavailable, then check field by field."""
    differences = column_differences(table, after)

    def reject(reason: Reason, detail: str, found: tuple[Difference, ...], stops: bool) -> Rejection:
        return Rejection(record, table, reason, detail, identity, position, found, stops)

    for difference in differences:
        action = policy.action(difference)
        if action in {Action.QUARANTINE, Action.STOP}:
            unexpected = difference.kind == Kind.UNKNOWN_COLUMN
            reason = Reason.UNEXPECTED_COLUMN if unexpected else Reason.MISSING_COLUMN
            return reject(reason, f"column {_shorten(difference.column)}", differences, action == Action.STOP)
    restored = _restore(after, before)
    if isinstance(restored, str):
        return reject(Reason.UNAVAILABLE_VALUE, f"column {_shorten(restored)}", differences, False)
    if table == "ticket_signals":
        restored["custom_metrics"] = _carry(restored.get("custom_metrics"), _carried(restored, differences, policy))
    fault = first_fault(table, restored)
    if fault is not None:
        found = (*differences, Difference(table, fault.drift, fault.field)) if fault.drift else differences
        stops = bool(fault.drift) and policy.action(found[-1]) == Action.STOP
        return reject(fault.reason, fault.detail, found, stops)
    change = _typed(record, table, envelope, restored, differences)
    return change or reject(Reason.WRONG_TYPE, "the row breaks the contract", differences, False)


def _typed(
    record: Record, table: str, envelope: Envelope, values: JsonObject, differences: tuple[Difference, ...]
) -> Change | None:
    """The change of a row whose fields were all found good."""
    known = {name: values.get(name) for name in ROW_TYPES[table].__struct_fields__}
    try:
        row = msgspec.convert(known, ROW_TYPES[table])
    except UNREADABLE:
        return None
    return make_change(record, table, envelope.op, envelope.source, envelope.ts_ms, row, differences)


def _carried(row: JsonObject, differences: tuple[Difference, ...], policy: DriftPolicy) -> JsonObject:
    """The unknown columns whose values the policy keeps."""
    return {d.column: row[d.column] for d in differences if d.column in row and policy.action(d) == Action.CARRY}


def _carry(metrics: object, columns: JsonObject) -> object:
    """custom_metrics as JSON text with the unknown columns added; a metric of the same name is kept."""
    if isinstance(metrics, str) and not columns:
        return metrics
    try:
        known = _RAW_OBJECT.decode(metrics) if isinstance(metrics, str) else metrics or {}
    except UNREADABLE:
        return metrics
    return msgspec.json.encode({**columns, **known}).decode() if isinstance(known, dict) else metrics


def _restore(after: JsonObject, before: JsonObject) -> JsonObject | str:
    """The row with unchanged, unsent values taken from before the change; or the name of a column that has none."""
    restored = dict(after)
    for column, value in after.items():
        if unavailable(value):
            if column not in before or unavailable(before[column]):
                return column
            restored[column] = before[column]
    return restored


def _deletion(record: Record, table: str, envelope: Envelope, identity: Identity | None, position: int) -> Decoded:
    if identity is None:
        return Rejection(record, table, Reason.MISSING_IDENTITY, "a delete without the row's identity", None, position)
    return Deletion(record, table, identity, position, instant(envelope.source.ts_us, envelope.source.ts_ms))


def _envelope(value: bytes) -> Envelope | tuple[Reason, str]:
    try:
        return LOOSE.decode(value)
    except msgspec.ValidationError as error:
        return Reason.NOT_AN_ENVELOPE, _shorten(str(error))
    except UNREADABLE as error:
        return Reason.BROKEN_JSON, _shorten(str(error))


def key_identity(key: bytes | None, table: str) -> Identity | None:
    """The identity a record's key names, if it can be read."""
    return _identity(table, _object(key)) if key else None


def _identity(table: str, row: JsonObject | None) -> Identity | None:
    values = tuple((row or {}).get(column) for column in IDENTITIES[table])
    if all(isinstance(value, str) and value and "\0" not in value and value != SENTINEL for value in values):
        return tuple(str(value) for value in values)
    return None


def _object(text: Any) -> JsonObject | None:
    try:
        decoded = _JSON.decode(text)
    except UNREADABLE:
        return None
    return decoded if isinstance(decoded, dict) else None


def _shorten(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
