"""The fingerprint of a row's content: equal for equal content, however it was spelled and whenever it arrived."""

import json
from decimal import Decimal
from hashlib import blake2b

import msgspec

from stream.core.contract.rows import Row, TicketSignal

_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_as_tuple = msgspec.structs.astuple
_METRICS = TicketSignal.__struct_fields__.index("custom_metrics")
_SCORE = TicketSignal.__struct_fields__.index("sentiment_score")


def signal_hash(signal: TicketSignal, metrics: object) -> bytes:
    """Hash of every field but `updated_at`; `metrics` are the decoded custom_metrics."""
    values = list(_as_tuple(signal))
    values[_METRICS] = metrics
    score: Decimal | None = values[_SCORE]
    if score is not None:
        values[_SCORE] = score.normalize() + 0  # 0.50 is 0.5, and -0 is 0
    values.pop()
    try:
        encoded = _encode(values)
    except OverflowError:  # a metric beyond 64 bits
        values[_METRICS] = json.dumps(metrics, sort_keys=True)
        encoded = _encode(values)
    return blake2b(encoded, digest_size=16).digest()


def row_hash(row: Row) -> bytes:
    """Hash of every field but `updated_at` of a row of the taxonomy or of an account."""
    return blake2b(_encode(_as_tuple(row)[:-1]), digest_size=16).digest()
