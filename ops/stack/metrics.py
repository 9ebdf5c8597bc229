"""What the supervisor knows, as Prometheus metrics: which parts are up, how often they and the connector were restarted."""

from collections.abc import Callable, Iterable
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

PART_IS_UP = "cx_part_is_up"
PART_RESTARTS = "cx_part_restarts"  # Prometheus appends _total
CONNECTOR_RESTARTS = "cx_connector_restarts"


class Parts(Collector):
    """Reads the supervisor's own description at every scrape."""

    def __init__(self, describe: Callable[[], dict[str, Any]]) -> None:
        self._describe = describe

    def collect(self) -> Iterable[Metric]:
        """One gauge and one counter per part, one counter for the connector."""
        state = self._describe()
        up = GaugeMetricFamily(PART_IS_UP, "1 while the part is up.", labels=["part"])
        restarts = CounterMetricFamily(PART_RESTARTS, "Restarts after the part went down.", labels=["part"])
        for name, part in state["parts"].items():
            up.add_metric([name], float(part["phase"] == "up"))
            restarts.add_metric([name], part["restarts"])
        yield from (up, restarts)
        yield CounterMetricFamily(CONNECTOR_RESTARTS, "Restarts of a failed connector task.", state["connector"]["restarts"])


def serve(describe: Callable[[], dict[str, Any]], port: int) -> None:
    """Answer /metrics on the loopback interface, in a thread. Raises OSError when the port is taken."""
    registry = CollectorRegistry()
    registry.register(Parts(describe))
    ProcessCollector(registry=registry)
    start_http_server(port, "127.0.0.1", registry)
