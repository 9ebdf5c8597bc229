"""The Kafka Connect schemas of the topic's keys and values, for a sink that cannot do without.

Handed to the sink's JsonConverter once (`schema.content`, KIP-1054), so that it reads the same bytes as our worker and does
not pay for a schema in every record.
"""

import json
from typing import Any

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


def _field(name: str, kind: str, semantic: str = "") -> Schema:
    return {"type": kind, "optional": True, "field": name, **({"name": semantic, "version": 1} if semantic else {})}


def _struct(name: str, fields: list[Schema], field: str = "") -> Schema:
    named = {"field": field, "optional": True} if field else {"optional": False}
    return {"type": "struct", "name": name, "fields": fields, **named}
