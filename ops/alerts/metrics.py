"""What the notifier counts. Names are constants that dashboards rely on."""

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

DELIVERIES = "cx_alerts_deliveries_total"
WAITING = "cx_alerts_waiting"


class Metrics:
    """Counters of one notifier, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._deliveries = Counter(
            DELIVERIES, "Posts to Slack: delivered, retry, broken, plain, refused", ["result"], registry=self.registry
        )
        self._waiting = Gauge(WAITING, "Letters that are not delivered yet", registry=self.registry)

    def delivered(self, result: str) -> None:
        self._deliveries.labels(result).inc()

    def waiting(self, letters: int) -> None:
        self._waiting.set(letters)
