"""The rows of the three captured tables as typed structures; every limit the contract sets is written here.

Field order is the order of the columns in the store. A field without `| None` is required. `custom_metrics` travels as
JSON text, as Debezium writes jsonb.
"""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

MAX_RECORD_BYTES = 8_000_000
MAX_NAME = 256  # characters; PostgreSQL's index entries end at 2,704 bytes
MAX_SCORE = 1_000_000
MAX_SCORE_DIGITS = 28

_HEX = "[0-9a-fA-F]"
UUID_PATTERN = f"^{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}$"
# The patterns are for readers of the schema; `is_well_formed` checks them, at a quarter of what the decoder needs for it.
Uuid = Annotated[str, Meta(max_length=36, extra_json_schema={"pattern": UUID_PATTERN})]
Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
Label = Annotated[str, Meta(max_length=MAX_NAME)]
Url = Annotated[str, Meta(min_length=1, max_length=2048, extra_json_schema={"pattern": "^https?://"})]
Version = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Timestamp = Annotated[datetime, Meta(tz=True)]


class TicketSignal(Struct, forbid_unknown_fields=True, gc=False):
    """One version of the enrichment of one support ticket: the canonical event."""

    event_id: Uuid
    occurred_at: Timestamp
    source_system: Name
    ticket_id: Name
    account_id: Label | None
    sentiment: Literal["positive", "neutral", "negative"]
    sentiment_score: Decimal | None  # within MAX_SCORE and MAX_SCORE_DIGITS
    churn_risk: Literal["none", "low", "medium", "high"]
    effort: Literal["low", "medium", "high"]
    raw_tags: list[Label] | None
    canonical_tag: Label | None
    driver: Label | None
    custom_metrics: str | None  # a JSON object
    evidence_url: Url
    evidence_quote: str | None
    idempotency_key: Name
    version: Version
    updated_at: Timestamp | None


class TagMapping(Struct, forbid_unknown_fields=True, gc=False):
    """One raw tag, the canonical tag it stands for and the driver that belongs to."""

    raw_tag: Name
    canonical_tag: Label | None
    driver: Label | None
    owner: Label | None
    updated_at: Timestamp | None


class Account(Struct, forbid_unknown_fields=True, gc=False):
    """One customer account."""

    account_id: Name
    name: Label | None
    plan: Label | None
    segment: Label | None
    owner: Label | None
    updated_at: Timestamp | None


_is_uuid = re.compile(UUID_PATTERN).fullmatch


def is_well_formed(kind: Any, text: str) -> bool:
    """Whether a text keeps the pattern of its kind, if that has one."""
    if kind is Uuid:
        return _is_uuid(text) is not None
    return kind is not Url or text.startswith(("http://", "https://"))


Row = TicketSignal | TagMapping | Account
ROW_TYPES: dict[str, type[Row]] = {"ticket_signals": TicketSignal, "tag_taxonomy": TagMapping, "accounts": Account}
IDENTITIES: dict[str, tuple[str, ...]] = {
    "ticket_signals": ("source_system", "ticket_id"),
    "tag_taxonomy": ("raw_tag",),
    "accounts": ("account_id",),
}
