"""How much CPU landing costs beside the least it could cost, on any machine: `python -m stream.bench URL`.

Lands made-up envelopes of about 1 kB in a warehouse, and in turn has the same records only decoded by the same native
library and copied as they are into a temporary table: no contract, no rules. The ratio of the two says how much those
cost, whatever the machine and its load.
"""

import gc
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from time import process_time

import msgspec
import psycopg

from stream.core.batch import divide
from stream.core.decode import decode
from stream.core.records import RawRecord
from stream.edges.warehouse.landing import Warehouse
from stream.worker import read_policy

TOPIC = "cx.enrichment.ticket_signals"
QUOTE = "I was charged twice for the same month and nobody answers. " * 4
YARDSTICK = "create temporary table yardstick (payload text)"


@dataclass(frozen=True)
class Cost:
    """CPU seconds of this process, for landing and for the yardstick."""

    landing: float
    yardstick: float

    @property
    def ratio(self) -> float:
        return self.landing / self.yardstick


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


def run(url: str, events: int = 40_000, size: int = 5_000, first: int = 0) -> Cost:
    """Land and copy so many events from number `first` on, a batch of each in turn: a busy moment is one of both."""
    gc.set_threshold(50_000, 20, 100)  # as in the worker
    policy = read_policy()
    warehouse = Warehouse(url, policy)
    landing = yardstick = 0.0
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(YARDSTICK.encode())
        for low in range(first, first + events, size):
            records = [record(number, 20_000) for number in range(low, low + size)]
            began = process_time()
            warehouse.land(divide([decode(one, policy) for one in records]))
            landed = process_time()
            _copy(connection, records)
            landing, yardstick = landing + landed - began, yardstick + process_time() - landed
    warehouse.close()
    return Cost(landing, yardstick)


def _copy(connection: psycopg.Connection, records: Sequence[RawRecord]) -> None:
    """The yardstick."""
    values = [one.value or b"" for one in records]
    for value in values:
        msgspec.json.decode(value)
    with connection.cursor() as own, own.copy("copy yardstick from stdin") as copy:
        copy.write(b"\n".join([value.replace(b"\\", b"\\\\") for value in values]) + b"\n")


if __name__ == "__main__":
    cost = run(sys.argv[1])
    json.dump({"landing": cost.landing, "yardstick": cost.yardstick, "ratio": round(cost.ratio, 2)}, sys.stdout, indent=2)
