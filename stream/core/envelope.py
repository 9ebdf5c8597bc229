"""The envelope Debezium writes around a row, one typed decoder per captured table."""

import msgspec
from msgspec import Raw, Struct

from stream.core.contract.rows import Account, TagMapping, TicketSignal
from stream.core.positions import Lsn

SENTINEL = "__cx_unavailable_value_5e1f0c"  # unavailable.value.placeholder in the connector's configuration
HEARTBEAT_PREFIX = "__debezium-heartbeat"
READ, CREATE, UPDATE, DELETE, TRUNCATE, MESSAGE = "r", "c", "u", "d", "t", "m"
CHANGES = (READ, CREATE, UPDATE)

_NOTHING = Raw(b"null")


class Source(Struct, gc=False):
    """Where and when the store made the change."""

    sequence: str | None = None
    lsn: Lsn | None = None
    ts_ms: int | None = None
    ts_us: int | None = None


class Envelope(Struct, gc=False):
    """An envelope whose rows are still unread JSON."""

    op: str
    source: Source
    before: Raw = _NOTHING
    after: Raw = _NOTHING
    ts_ms: int | None = None


class SignalEnvelope(Struct, gc=False):
    """An envelope around a ticket signal."""

    op: str
    source: Source
    before: Raw = _NOTHING
    after: TicketSignal | None = None
    ts_ms: int | None = None


class TagEnvelope(Struct, gc=False):
    """An envelope around a mapping of the taxonomy."""

    op: str
    source: Source
    before: Raw = _NOTHING
    after: TagMapping | None = None
    ts_ms: int | None = None


class AccountEnvelope(Struct, gc=False):
    """An envelope around an account."""

    op: str
    source: Source
    before: Raw = _NOTHING
    after: Account | None = None
    ts_ms: int | None = None


AnyEnvelope = SignalEnvelope | TagEnvelope | AccountEnvelope
ENVELOPES: dict[str, type[AnyEnvelope]] = {
    "ticket_signals": SignalEnvelope,
    "tag_taxonomy": TagEnvelope,
    "accounts": AccountEnvelope,
}
DECODERS: dict[str, msgspec.json.Decoder[AnyEnvelope]] = {
    table: msgspec.json.Decoder(envelope) for table, envelope in ENVELOPES.items()
}
LOOSE: msgspec.json.Decoder[Envelope] = msgspec.json.Decoder(Envelope)
