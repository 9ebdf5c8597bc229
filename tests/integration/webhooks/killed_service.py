"""The service as a process of its own that dies at a place: `python -m … WAREHOUSE BOOTSTRAP TOPIC ADDRESS PLACE`."""

import asyncio
import sys

from prometheus_client import CollectorRegistry

from connectors.outbound.webhooks.metrics import Metrics
from connectors.outbound.webhooks.service import Setup, run
from ops.outbound.failpoints import failing
from tests.integration.webhooks.conftest import subscription

if __name__ == "__main__":
    warehouse_url, bootstrap, topic, address, place = sys.argv[1:]
    reached = failing(f"webhooks_{place}", "webhooks")
    setup = Setup(
        warehouse_url, {"bootstrap_servers": bootstrap}, {"signals": topic}, lambda: [subscription(address)], reached=reached
    )
    asyncio.run(run(setup, Metrics(CollectorRegistry()), asyncio.Event()))
