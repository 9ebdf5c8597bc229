"""How fast one core decodes, folds and writes, PostgreSQL's own work not counted: `python -m stream.bench URL`.

Makes up envelopes of about 1 kB per row, lands them in batches in an empty warehouse, and shows where the time went.
"""

import gc
import json
import sys
from time import perf_counter, process_time

from stream.core.batch import divide
from stream.core.decode import decode
from stream.core.records import RawRecord
from stream.edges.warehouse.landing import Warehouse
from stream.worker import read_policy

TOPIC = "cx.enrichment.ticket_signals"
QUOTE = "I was charged twice for the same month and nobody answers. " * 4


def record(number: int, tickets: int) -> RawRecord:
    """One update of one of so many tickets; each round through the tickets is their next version."""
    version, ticket = divmod(number, tickets)
    row = {
        "event_id": f"00000000-0000-4000-8000-{number:012d}",
        "occurred_at": "2026-11-01T08:00:00.123456Z", "source_system": "zendesk", "ticket_id": f"t{ticket}",
        "account_id": f"account-{ticket % 500}", "sentiment": "negative", "sentiment_score": "-0.75", "churn_risk": "high",
        "effort": "medium", "raw_tags": ["refund", "double charge", "billing"], "canonical_tag": "billing", "driver": "Billing",
        "custom_metrics": json.dumps({"handle_time_seconds": number, "reopened": False, "topics": ["invoice", "card"]}),
        "evidence_url": f"https://support.example.com/tickets/{ticket}#comment-{version}", "evidence_quote": QUOTE,
        "idempotency_key": f"zendesk:{ticket}:{version + 1}", "version": version + 1, "updated_at": "2026-11-01T08:00:01Z",
    }  # fmt: skip
    source = {"ts_ms": 1793520000000, "sequence": f'["{number}","{number + 1}"]', "schema": "enrichment", "lsn": number + 1}
    value = {"before": None, "after": row, "source": source, "op": "c", "ts_ms": 1793520000100, "transaction": None}
    return RawRecord(TOPIC, ticket % 12, number, 0, b"{}", json.dumps(value).encode())


def run(url: str, events: int = 100_000, size: int = 5_000) -> dict[str, float]:
    """Land so many events in batches of this size; microseconds of this process per event, by stage, and the wall's."""
    gc.set_threshold(50_000, 20, 100)  # as in the worker
    policy = read_policy()
    warehouse = Warehouse(url, policy)
    spent = {"decode": 0.0, "land": 0.0, "wall": 0.0, "bytes": 0.0}
    for low in range(0, events, size):
        records = [record(number, events // 2) for number in range(low, low + size)]
        spent["bytes"] += sum(len(one.value or b"") for one in records)
        wall, cpu = perf_counter(), process_time()
        decoded = [decode(one, policy) for one in records]
        spent["decode"] += process_time() - cpu
        cpu = process_time()
        warehouse.land(divide(decoded))
        spent["land"] += process_time() - cpu
        spent["wall"] += perf_counter() - wall
    warehouse.close()
    return {stage: value / events * (1 if stage == "bytes" else 1e6) for stage, value in spent.items()}


if __name__ == "__main__":
    json.dump(run(sys.argv[1]), sys.stdout, indent=2)
