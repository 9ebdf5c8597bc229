"""Prometheus: what the publisher did. Names are constants that dashboards and rules rely on."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, start_http_server

from expectations.publish.cycle import Outcome

CYCLES = "cx_publish_cycles"  # Prometheus appends _total
STAGE_SECONDS = "cx_publish_stage_seconds"
ROWS_CHANGED = "cx_publish_rows_changed"
LAST_PUBLISH = "cx_publish_last_timestamp_seconds"
CHECKS = "cx_gate_checks"
RESULTS = ("published", "held", "error")
_TIMES = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """Counts the cycles of one publisher, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._cycles = Counter(CYCLES, "Publish cycles by result.", ["result"], registry=self.registry)
        self._stages = Histogram(STAGE_SECONDS, "Seconds per cycle and stage.", ["stage"], buckets=_TIMES, registry=self.registry)
        self._rows = Counter(ROWS_CHANGED, "Rows written into the marts.", ["mart"], registry=self.registry)
        self._last = Gauge(LAST_PUBLISH, "When the marts were published last.", registry=self.registry)
        self._checks = Gauge(CHECKS, "Checks of the newest cycle by outcome.", ["outcome"], registry=self.registry)
        for result in RESULTS:
            self._cycles.labels(result)

    def serve(self, address: str, port: int) -> None:
        """Answer /metrics, in a thread. Raises OSError when the port is taken."""
        start_http_server(port, address, self.registry)

    def ended(self, outcome: Outcome) -> None:
        """A cycle is over."""
        self._cycles.labels(outcome.result).inc()
        for stage, seconds in outcome.stage_seconds.items():
            self._stages.labels(stage).observe(seconds)
        said = list(outcome.checks.values())
        self._checks.clear()
        for one in {"passed", *said}:
            self._checks.labels(one).set(said.count(one))
        if outcome.published is not None:
            self._last.set(time.time())
            for mart, counts in outcome.published.rows_changed.items():
                self._rows.labels(mart).inc(sum(counts.values()))
