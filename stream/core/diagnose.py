"""The slow, exact reading of a record that is not simply good: drifted, unavailable, deleted, or broken and why."""

from typing import Any, NamedTuple

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


class Reading(NamedTuple):
    """A record as far as it can be read without its table's types."""

    record: Record
    table: str
    envelope: Envelope
    before: JsonObject | None
    after: JsonObject | None
    identity: Identity | None
    position: int | None

    def reject(self, reason: Reason, detail: str, differences: tuple[Difference, ...] = (), stops: bool = False) -> Rejection:
        return Rejection(self.record, self.table, reason, detail, self.identity, self.position, differences, stops)


def diagnose(record: Record, table: str, value: bytes, policy: DriftPolicy) -> Decoded:
    """Say what a record is that the fast path did not take."""
    envelope = _envelope(value)
    if isinstance(envelope, tuple):
        return Rejection(record, table, *envelope, identity=key_identity(record.key, table))
    before, after = _object(envelope.before), _object(envelope.after)
    identity = _identity(table, after or before) or key_identity(record.key, table)
    position = source_position(envelope.source.sequence, envelope.source.lsn)
    return _by_operation(Reading(record, table, envelope, before, after, identity, position), policy)


def _by_operation(reading: Reading, policy: DriftPolicy) -> Decoded:
    op = reading.envelope.op
    if op == MESSAGE:
        return NoEffect(reading.record)
    if op == TRUNCATE:
        return reading.reject(Reason.TRUNCATE, f"the store's {reading.table} was truncated")
    if op != DELETE and op not in CHANGES:
        return reading.reject(Reason.UNKNOWN_OPERATION, f"op {_shorten(op)}")
    if reading.position is None:
        return reading.reject(Reason.MISSING_POSITION, "no source.sequence and no source.lsn")
    return _deletion(reading, reading.position) if op == DELETE else _change(reading, policy)


def _change(reading: Reading, policy: DriftPolicy) -> Decoded:
    """Apply the drift policy to the row's columns, restore what was unavailable, then check field by field."""
    table, after = reading.table, reading.after
    if after is None:
        return reading.reject(Reason.NOT_AN_ENVELOPE, f"op {reading.envelope.op} without a row")
    differences = column_differences(table, after)
    refused = next((one for one in differences if policy.action(one) in {Action.QUARANTINE, Action.STOP}), None)
    if refused is not None:
        reason = Reason.UNEXPECTED_COLUMN if refused.kind == Kind.UNKNOWN_COLUMN else Reason.MISSING_COLUMN
        stops = policy.action(refused) == Action.STOP
        return reading.reject(reason, f"column {_shorten(refused.column)}", differences, stops)
    row = _restore(after, reading.before or {})
    if isinstance(row, str):
        return reading.reject(Reason.UNAVAILABLE_VALUE, f"column {_shorten(row)}", differences)
    if table == "ticket_signals":
        row["custom_metrics"] = _carry(row.get("custom_metrics"), _carried(row, differences, policy))
    return _checked(reading, row, differences, policy)


def _checked(reading: Reading, row: JsonObject, differences: tuple[Difference, ...], policy: DriftPolicy) -> Decoded:
    fault = first_fault(reading.table, row)
    if fault is None:
        change = _typed(reading.record, reading.table, reading.envelope, row, differences)
        return change or reading.reject(Reason.WRONG_TYPE, "the row breaks the contract", differences)
    if fault.drift is None:
        return reading.reject(fault.reason, fault.detail, differences)
    drift = Difference(reading.table, fault.drift, fault.field)
    return reading.reject(fault.reason, fault.detail, (*differences, drift), policy.action(drift) == Action.STOP)


def _typed(
    record: Record, table: str, envelope: Envelope, values: JsonObject, differences: tuple[Difference, ...]
) -> Change | None:
    """The change of a row whose fields were all found good."""
    known = {name: values.get(name) for name in ROW_TYPES[table].__struct_fields__}
    try:
        row = msgspec.convert(known, ROW_TYPES[table])
    except UNREADABLE:
        return None
    return make_change(record, table, envelope, row, differences)


def _carried(row: JsonObject, differences: tuple[Difference, ...], policy: DriftPolicy) -> JsonObject:
    """The unknown columns whose values the policy keeps; a null says no more than the column's absence did before."""
    return {d.column: row[d.column] for d in differences if row.get(d.column) is not None and policy.action(d) == Action.CARRY}


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


def _deletion(reading: Reading, position: int) -> Decoded:
    if reading.identity is None:
        return reading.reject(Reason.MISSING_IDENTITY, "a delete without the row's identity")
    source = reading.envelope.source
    return Deletion(reading.record, reading.table, reading.identity, position, instant(source.ts_us, source.ts_ms))


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
