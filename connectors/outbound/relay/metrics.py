"""What the relay counts. Names are constants that dashboards rely on."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram

CHANGES = "cx_outbound_changes_total"
RECORDS = "cx_outbound_records_total"
FAILURES = "cx_outbound_relay_failures_total"
SECONDS = "cx_outbound_landed_to_topic_seconds"


class Metrics:
    """Counters of one relay."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._changes = Counter(CHANGES, "Changes and deletes carried to the topics, repeats included.", registry=registry)
        self._records = Counter(RECORDS, "Records that Kafka acknowledged, over all topics.", registry=registry)
        self._failures = Counter(FAILURES, "Times the relay had to wait for the warehouse or Kafka.", registry=registry)
        self._seconds = Histogram(
            SECONDS,
            "From landing to Kafka's acknowledgement.",
            buckets=(0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 30.0, 300.0),
            registry=registry,
        )

    def sent(self, rows: Sequence[Mapping[str, Any]], records: int) -> None:
        now = datetime.now(UTC)
        self._changes.inc(len(rows))
        self._records.inc(records)
        for row in rows:
            self._seconds.observe(max(0.0, (now - row["landed_at"]).total_seconds()))

    def failed(self) -> None:
        self._failures.inc()
