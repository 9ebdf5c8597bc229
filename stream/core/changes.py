"""A change made of a typed row: what a type cannot say is checked here, and null collections become empty ones."""

from decimal import Decimal
from typing import Any

import msgspec

from stream.core.content import row_hash, signal_hash
from stream.core.contract.rows import MAX_SCORE, MAX_SCORE_DIGITS, Row, TagMapping, TicketSignal, Url, Uuid, is_well_formed
from stream.core.envelope import READ, AnyEnvelope, Envelope
from stream.core.positions import source_position
from stream.core.records import Change, Difference, Identity, Record

UNREADABLE = (msgspec.MsgspecError, RecursionError, ArithmeticError, ValueError)  # all that decoding can raise
_JSON = msgspec.json.Decoder()
_LOWEST, _HIGHEST = Decimal(-MAX_SCORE), Decimal(MAX_SCORE)  # an int would be converted at every comparison
_FIRST_MOMENT, _LAST_MOMENT = -62_135_596_800_000_000, 253_402_300_799_999_999  # the years 1 to 9999


def make_change(
    record: Record, table: str, envelope: Envelope | AnyEnvelope, row: Row, differences: tuple[Difference, ...] = ()
) -> Change | None:
    """The change a typed row makes, or None when it breaks the contract after all."""
    source = envelope.source
    position = source_position(source.sequence, source.lsn)
    if position is None:
        return None
    if isinstance(row, TicketSignal):
        metrics = metrics_of(row.custom_metrics)
        if metrics is None or not is_score(row):
            return None
        if not (is_well_formed(Uuid, row.event_id) and is_well_formed(Url, row.evidence_url)):
            return None
        row.raw_tags = row.raw_tags or []
        row.custom_metrics = row.custom_metrics or "{}"
        identity: Identity = (row.source_system, row.ticket_id)
        content_hash = signal_hash(row, metrics)
    else:
        identity = (row.raw_tag if isinstance(row, TagMapping) else row.account_id,)
        content_hash = row_hash(row)
    committed_at = None if envelope.op == READ else instant(source.ts_us, source.ts_ms)
    captured_at = instant(None, envelope.ts_ms)
    return Change(record, table, identity, row, position, content_hash, committed_at, captured_at, differences)


def metrics_of(text: str | None) -> dict[str, Any] | None:
    """The decoded custom_metrics; {} for null, None when it is not a JSON object."""
    if text is None:
        return {}
    try:
        metrics = _JSON.decode(text)
    except UNREADABLE:
        return None
    return metrics if isinstance(metrics, dict) else None


def is_score(signal: TicketSignal) -> bool:
    """Whether the score is absent, or a number within the contract's range and precision."""
    return signal.sentiment_score is None or is_in_range(signal.sentiment_score)


def is_in_range(score: Decimal) -> bool:
    """Whether a score is a number within the contract's range and precision."""
    if not (score.is_finite() and _LOWEST <= score <= _HIGHEST):
        return False
    return len(str(score)) <= MAX_SCORE_DIGITS or len(score.as_tuple().digits) <= MAX_SCORE_DIGITS


def instant(microseconds: int | None, milliseconds: int | None) -> int | None:
    """The moment so long after 1970, in microseconds; None when unknown or beyond the calendar."""
    if microseconds is None:
        if milliseconds is None:
            return None
        microseconds = milliseconds * 1_000
    return microseconds if _FIRST_MOMENT <= microseconds <= _LAST_MOMENT else None
