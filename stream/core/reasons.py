"""The closed list of reasons for a dead letter, each with the sentence that tells the operator what to do."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a record could not be applied."""

    BROKEN_JSON = "broken_json"
    RECORD_TOO_LARGE = "record_too_large"
    NOT_AN_ENVELOPE = "not_an_envelope"
    UNKNOWN_TABLE = "unknown_table"
    UNKNOWN_OPERATION = "unknown_operation"
    MISSING_POSITION = "missing_position"
    MISSING_IDENTITY = "missing_identity"
    MISSING_COLUMN = "missing_column"
    UNEXPECTED_COLUMN = "unexpected_column"
    MISSING_VALUE = "missing_value"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_ENUM_VALUE = "unknown_enum_value"
    OUT_OF_RANGE = "out_of_range"
    TOO_LONG = "too_long"
    INVALID_TIMESTAMP = "invalid_timestamp"
    INVALID_UUID = "invalid_uuid"
    INVALID_URL = "invalid_url"
    INVALID_METRICS = "invalid_metrics"
    NUL_BYTE = "nul_byte"
    UNAVAILABLE_VALUE = "unavailable_value"
    TRUNCATE = "truncate"
    CONFLICT = "conflict"
    DATABASE_REFUSED = "database_refused"


_FIX_THE_ROW = "Correct the row in the store; the corrected version flows by itself. Then discard this letter."
_FIX_THE_PRODUCER = "Find who wrote this record to the topic; replay the letter after the repair, or discard it."

REMEDIES: dict[Reason, str] = {
    Reason.BROKEN_JSON: _FIX_THE_PRODUCER,
    Reason.RECORD_TOO_LARGE: "Shorten the row in the store below 8 MB (custom_metrics, quote); then discard this letter.",
    Reason.NOT_AN_ENVELOPE: _FIX_THE_PRODUCER,
    Reason.UNKNOWN_TABLE: "There is no contract for this topic: compare the connector's table list with the contract.",
    Reason.UNKNOWN_OPERATION: _FIX_THE_PRODUCER,
    Reason.MISSING_POSITION: "No source.sequence and no source.lsn: check the connector's version and transforms.",
    Reason.MISSING_IDENTITY: _FIX_THE_ROW,
    Reason.MISSING_COLUMN: "Restore the column in the store, or change the contract and stream/drift_policy.yml; then replay.",
    Reason.UNEXPECTED_COLUMN: "Add the column to the contract, or let stream/drift_policy.yml carry or ignore it; then replay.",
    Reason.MISSING_VALUE: _FIX_THE_ROW,
    Reason.WRONG_TYPE: "Undo the change of type in the store, or change the contract; then replay.",
    Reason.UNKNOWN_ENUM_VALUE: "Correct the value in the store, or add it to the contract and replay.",
    Reason.OUT_OF_RANGE: _FIX_THE_ROW,
    Reason.TOO_LONG: _FIX_THE_ROW,
    Reason.INVALID_TIMESTAMP: _FIX_THE_ROW,
    Reason.INVALID_UUID: _FIX_THE_ROW,
    Reason.INVALID_URL: _FIX_THE_ROW,
    Reason.INVALID_METRICS: "Write custom_metrics as a JSON object in the store; the corrected version flows by itself.",
    Reason.NUL_BYTE: _FIX_THE_ROW,
    Reason.UNAVAILABLE_VALUE: "Set REPLICA IDENTITY FULL on the table, then snapshot this row again (README, Backfill).",
    Reason.TRUNCATE: "A TRUNCATE is never applied. Restore the store's table, or delete the rows there one by one.",
    Reason.CONFLICT: "The earlier of two contents under one key or version stands. Write the later under a new key and version.",
    Reason.DATABASE_REFUSED: "The warehouse refused a row that keeps the contract: report it, replay after the fix.",
}
