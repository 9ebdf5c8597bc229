"""What the sender of webhooks counts. Names are constants that dashboards rely on."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

ATTEMPTS = "cx_webhook_attempts_total"
SECONDS = "cx_webhook_attempt_seconds"
AGES = "cx_webhook_queued_to_delivered_seconds"
WAITING = "cx_webhook_waiting"
CIRCUIT_OPEN = "cx_webhook_circuit_open"
LAG = "cx_webhook_topic_lag_records"
OLD = "cx_webhook_old_records_total"
UNREADABLE = "cx_webhook_unreadable_records_total"
_TIMES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)


class Metrics:
    """Counters of one sender, labelled by subscription, never by address or ticket."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._attempts = Counter(ATTEMPTS, "Attempts: done, again, gone, dead.", ["subscription", "result"], registry=registry)
        self._seconds = Histogram(SECONDS, "Seconds per attempt.", ["subscription"], buckets=_TIMES, registry=registry)
        self._ages = Histogram(AGES, "From the queue to a 2xx.", ["subscription"], buckets=(*_TIMES, 60, 3600), registry=registry)
        self._waiting = Gauge(WAITING, "Messages not delivered yet.", ["subscription"], registry=registry)
        self._open = Gauge(CIRCUIT_OPEN, "1 while the subscriber is left alone.", ["subscription"], registry=registry)
        self._lag = Gauge(LAG, "Records not queued yet.", ["topic"], registry=registry)
        self._old = Counter(OLD, "Records no newer than what was heard of their ticket: no effect.", registry=registry)
        self._unreadable = Counter(UNREADABLE, "Records of the outbound topics that are none of ours.", registry=registry)

    def attempted(self, subscription: str, result: str, seconds: float, age: float | None) -> None:
        """One attempt; `age`: seconds in the queue, when it was delivered."""
        self._attempts.labels(subscription, result).inc()
        self._seconds.labels(subscription).observe(seconds)
        if age is not None:
            self._ages.labels(subscription).observe(max(0.0, age))

    def stands(self, waiting: Mapping[str, int], is_open: Mapping[str, bool]) -> None:
        """How much waits for each subscriber, and who is left alone."""
        for name, number in waiting.items():
            self._waiting.labels(name).set(number)
        for name, one in is_open.items():
            self._open.labels(name).set(float(one))

    def lag(self, topic: str, records: int) -> None:
        self._lag.labels(topic).set(records)

    def old(self, records: int) -> None:
        self._old.inc(records)

    def unreadable(self) -> None:
        self._unreadable.inc()
