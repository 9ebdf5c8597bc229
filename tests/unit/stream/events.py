"""Envelopes as Debezium writes them, for tests."""

import json
from typing import Any

from stream.core.records import RawRecord

SIGNALS, TAXONOMY, ACCOUNTS = (f"cx.enrichment.{table}" for table in ("ticket_signals", "tag_taxonomy", "accounts"))


def signal(ticket: str = "t1", version: int = 1, **changed: Any) -> dict[str, Any]:
    """A row of ticket_signals as it travels. Its key names the ticket and the version unless told otherwise."""
    return {
        "event_id": "7b2e8a3e-0000-4000-8000-000000000001",
        "occurred_at": "2026-11-01T08:00:00.123456Z",
        "source_system": "zendesk",
        "ticket_id": ticket,
        "account_id": "acme",
        "sentiment": "negative",
        "sentiment_score": "-0.50",
        "churn_risk": "high",
        "effort": "low",
        "raw_tags": ["refund", 'two "words"\\'],
        "canonical_tag": "billing",
        "driver": "Billing",
        "custom_metrics": '{"handle_time": 12.50, "emoji": "\\u00e9"}',
        "evidence_url": f"https://support.example.com/{ticket}#{version}",
        "evidence_quote": "I want\tmy money\nback",
        "idempotency_key": f"{ticket}:{version}",
        "version": version,
        "updated_at": "2026-11-01T08:00:01Z",
        **changed,
    }


def envelope(after: object, position: int, op: str = "u", before: object = None, **source: Any) -> dict[str, Any]:
    """The envelope around a row."""
    origin = {"ts_ms": 1793520000000, "sequence": json.dumps(["0", str(position)]), "lsn": position, "table": "x", **source}
    return {"before": before, "after": after, "op": op, "ts_ms": 1793520000100, "source": origin, "transaction": None}


def record(value: object, offset: int = 0, topic: str = SIGNALS, partition: int = 0, key: object = None) -> RawRecord:
    """A record with this value: an envelope, raw bytes, or None."""
    payload = value if isinstance(value, bytes | None) else json.dumps(value).encode()
    return RawRecord(topic, partition, offset, 1793520000200, None if key is None else json.dumps(key).encode(), payload)


def changed(row: dict[str, Any], position: int, offset: int = 0, **options: Any) -> RawRecord:
    """A record that writes a row of ticket_signals."""
    key = {"source_system": row["source_system"], "ticket_id": row["ticket_id"]}
    return record(envelope(row, position, **options), offset, key=key)


def deleted(ticket: str, position: int, offset: int = 0) -> RawRecord:
    """A record that deletes a ticket."""
    key = {"source_system": "zendesk", "ticket_id": ticket}
    return record(envelope(None, position, op="d", before=signal(ticket)), offset, key=key)
