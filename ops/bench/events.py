"""Events of about 1 kB as Debezium writes them, made up: updates of so many tickets, one version after the other."""

import json
from dataclasses import dataclass
from typing import Any

import msgspec

TOPIC = "cx.enrichment.ticket_signals"
PARTITIONS = 12
QUOTE = "I was charged twice for the same month and nobody answers. " * 2
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Event:
    """One Kafka record to be, and what it says: version `version` of ticket `ticket_id`."""

    partition: int
    key: bytes
    value: bytes
    ticket_id: str
    version: int


def row(number: int, tickets: int) -> dict[str, Any]:
    """The store's row after update `number`; each round through the tickets is their next version."""
    version, ticket = divmod(number, tickets)
    return {
        "event_id": f"00000000-0000-4000-8000-{number:012d}",
        "occurred_at": f"2026-11-{1 + ticket % 20:02d}T08:{ticket % 60:02d}:00.123456Z",
        "source_system": "zendesk",
        "ticket_id": f"t{ticket}",
        "account_id": f"account-{ticket % 500}",
        "sentiment": ("negative", "neutral", "positive")[number % 3],
        "sentiment_score": f"{number % 200 / 100 - 1:.2f}",
        "churn_risk": "high",
        "effort": "medium",
        "raw_tags": ["refund", "double charge", "billing"],
        "canonical_tag": "billing",
        "driver": "Billing",
        "custom_metrics": json.dumps({"handle_time_seconds": number, "reopened": False, "topics": ["invoice", "card"]}),
        "evidence_url": f"https://support.example.com/tickets/{ticket}#comment-{version}",
        "evidence_quote": QUOTE,
        "idempotency_key": f"zendesk:{ticket}:{version + 1}",
        "version": version + 1,
        "updated_at": "2026-11-20T08:00:01.000001Z",
    }


def event(number: int, tickets: int) -> Event:
    """Update `number` as a Kafka record; a ticket always lands in the same partition."""
    after = row(number, tickets)
    source = {
        "version": "3.7.0.Final", "connector": "postgresql", "name": "cx", "ts_ms": 1793520000000, "snapshot": "false",
        "db": "store",
        "sequence": f'["{number * 64 + 1}","{number * 64 + 33}"]', "ts_us": 1793520000000000, "ts_ns": 1793520000000000000,
        "schema": "enrichment", "table": "ticket_signals", "txId": number + 700, "lsn": number * 64 + 33, "xmin": None,
    }  # fmt: skip
    envelope = {
        "before": None, "after": after, "source": source, "transaction": None, "op": "c",
        "ts_ms": 1793520000100, "ts_us": 1793520000100000, "ts_ns": 1793520000100000000,
    }  # fmt: skip
    key = {"source_system": after["source_system"], "ticket_id": after["ticket_id"]}
    return Event(number % tickets % PARTITIONS, _encode(key), _encode(envelope), after["ticket_id"], after["version"])
