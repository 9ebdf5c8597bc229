"""Prometheus: the one place that observes. Names are constants; values come in as the pipeline reports them."""

import time
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, start_http_server

from stream.core.accounting import Consumed, Partition
from stream.core.batch import Batch
from stream.core.outcomes import Outcome

RECORDS = "cx_records"  # Prometheus appends _total
BATCH_RECORDS = "cx_batch_records"
STAGE_SECONDS = "cx_stage_seconds"
LAG_RECORDS = "cx_consumer_lag_records"
END_TO_END_SECONDS = "cx_end_to_end_seconds"
RETRIES = "cx_retries"

MOST_SAMPLES = 100  # end-to-end times observed per batch, evenly spread over it
_SIZES = (1, 10, 100, 500, 1_000, 2_500, 5_000, 10_000)
_TIMES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_AGES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0)


class Metrics:
    """Counts what the pipeline reports."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._records = Counter(RECORDS, "Consumed records.", ["table", "outcome"], registry=self.registry)
        self._sizes = Histogram(BATCH_RECORDS, "Records per batch.", buckets=_SIZES, registry=self.registry)
        self._stages = Histogram(STAGE_SECONDS, "Seconds per batch and stage.", ["stage"], buckets=_TIMES, registry=self.registry)
        self._lag = Gauge(LAG_RECORDS, "Records not landed yet.", ["topic", "partition"], registry=self.registry)
        self._ages = Histogram(END_TO_END_SECONDS, "Store commit to landed.", buckets=_AGES, registry=self.registry)
        self._retries = Counter(RETRIES, "Attempts that the warehouse or Kafka did not allow.", registry=self.registry)

    def serve(self, port: int, address: str = "127.0.0.1") -> int:
        """Answer /metrics; returns the port (0: a free one)."""
        server, _ = start_http_server(port, address, self.registry)
        return int(server.server_port)

    def landed(
        self, batch: Batch, outcomes: Mapping[int, Outcome], consumed: Mapping[Partition, Consumed], seconds: Mapping[str, float]
    ) -> None:
        """A batch is durable."""
        self._sizes.observe(len(batch.records))
        for (topic, _), one in consumed.items():
            for outcome, number in one.outcomes.items():
                self._records.labels(topic.rpartition(".")[2], outcome.value).inc(number)
        for stage, spent in seconds.items():
            self._stages.labels(stage).observe(spent)
        now = time.time_ns() // 1_000
        applied = [one for place, one in batch.changes if outcomes[place] is Outcome.APPLIED]
        for change in applied[:: max(1, len(applied) // MOST_SAMPLES)]:
            if change.committed_at is not None:
                self._ages.observe(max(0, now - change.committed_at) / 1e6)

    def took(self, stage: str, seconds: float) -> None:
        """A stage outside the transaction is done."""
        self._stages.labels(stage).observe(seconds)

    def retried(self) -> None:
        """An attempt failed and will be repeated."""
        self._retries.inc()

    def lag(self, partitions: Mapping[tuple[str, int], int]) -> None:
        """Records that wait in each of this worker's partitions; partitions it lost disappear."""
        self._lag.clear()
        for (topic, partition), records in partitions.items():
            self._lag.labels(topic, str(partition)).set(records)
