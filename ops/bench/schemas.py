"""The Kafka Connect schemas of the topic's keys and values, for a sink that cannot do without.

They stand in every record, as JsonConverter writes and reads them unless told otherwise; or the sink's converter is given them
once (`schema.content`, KIP-1054) and reads the same bytes as our worker.
"""

import json
from dataclasses import replace
from typing import Any

from ops.bench import events
from ops.bench.events import Event

Schema = dict[str, Any]

TEXT = (
    "source_system", "ticket_id", "account_id", "sentiment", "sentiment_score", "churn_risk", "effort", "canonical_tag",
    "driver", "evidence_url", "evidence_quote", "idempotency_key",
)  # fmt: skip
SOURCE_TEXT = ("version", "connector", "name", "snapshot", "db", "sequence", "schema", "table")


def key() -> str:
    """The identity of a ticket."""
    return json.dumps(_struct("cx.enrichment.ticket_signals.Key", [_field(name, "string") for name in TEXT[:2]]))


def envelope() -> str:
    """Debezium's envelope around a row of ticket_signals."""
    row = [
        _field("event_id", "string", "io.debezium.data.Uuid"), _field("occurred_at", "string", "io.debezium.time.ZonedTimestamp"),
        *(_field(name, "string") for name in TEXT),
        {"type": "array", "items": {"type": "string", "optional": True}, "optional": True, "field": "raw_tags"},
        _field("custom_metrics", "string", "io.debezium.data.Json"), _field("version", "int64"),
        _field("updated_at", "string", "io.debezium.time.ZonedTimestamp"),
    ]  # fmt: skip
    source = [_field(name, "string") for name in SOURCE_TEXT]
    source += [_field(name, "int64") for name in ("ts_ms", "ts_us", "ts_ns", "txId", "lsn", "xmin")]
    value = "cx.enrichment.ticket_signals.Value"
    fields = [_struct(value, row, "before"), _struct(value, row, "after")]
    fields += [_struct("io.debezium.connector.postgresql.Source", source, "source"), _field("op", "string")]
    fields += [_field(name, "int64") for name in ("ts_ms", "ts_us", "ts_ns")]
    return json.dumps(_struct("cx.enrichment.ticket_signals.Envelope", fields))


def event(number: int, tickets: int) -> Event:
    """Update `number` as `events.event` makes it, with the schemas of its key and value."""
    bare = events.event(number, tickets)
    return replace(bare, key=_KEY % bare.key, value=_ENVELOPE % bare.value)


def _field(name: str, kind: str, semantic: str = "") -> Schema:
    return {"type": kind, "optional": True, "field": name, **({"name": semantic, "version": 1} if semantic else {})}


def _struct(name: str, fields: list[Schema], field: str = "") -> Schema:
    named = {"field": field, "optional": True} if field else {"optional": False}
    return {"type": "struct", "name": name, "fields": fields, **named}


_KEY = b'{"schema":' + key().encode() + b',"payload":%b}'
_ENVELOPE = b'{"schema":' + envelope().encode() + b',"payload":%b}'
