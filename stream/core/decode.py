"""Bytes to a change, a deletion, a rejection or nothing. Never raises, whatever the bytes.

One typed decode takes the good records; everything else goes to `diagnose`, which is slow and exact.
"""

from functools import lru_cache

from stream.core.changes import UNREADABLE, make_change
from stream.core.contract.rows import MAX_RECORD_BYTES
from stream.core.diagnose import diagnose, key_identity
from stream.core.drift import DriftPolicy
from stream.core.envelope import CHANGES, DECODERS, HEARTBEAT_PREFIX, SENTINEL
from stream.core.reasons import Reason
from stream.core.records import Change, Decoded, NoEffect, Record, Rejection

_SENTINEL = SENTINEL.encode()
_NUL = b"\\u0000"


@lru_cache
def _table_of(topic: str) -> str | None:
    """The table that a topic is named after; None for heartbeats."""
    return None if topic.startswith(HEARTBEAT_PREFIX) else topic.rpartition(".")[2]


def decode(record: Record, policy: DriftPolicy) -> Decoded:
    """Say what one consumed record is."""
    value = record.value
    table = _table_of(record.topic)
    if value is None or table is None:
        return NoEffect(record)
    if table not in DECODERS:
        return Rejection(record, table, Reason.UNKNOWN_TABLE, f"topic {record.topic}")
    if len(value) > MAX_RECORD_BYTES:
        return Rejection(record, table, Reason.RECORD_TOO_LARGE, f"{len(value)} bytes", key_identity(record.key, table))
    is_odd = value.find(_SENTINEL) >= 0 or value.find(_NUL) >= 0  # `in` would try the text as a number first
    change = None if is_odd else _good_change(record, table, value)
    return change if change is not None else diagnose(record, table, value, policy)


def _good_change(record: Record, table: str, value: bytes) -> Change | None:
    """The change in a record that keeps the contract in every respect, or None."""
    try:
        envelope = DECODERS[table].decode(value)
    except UNREADABLE:
        return None
    if envelope.op not in CHANGES or envelope.after is None:
        return None
    return make_change(record, table, envelope, envelope.after)
