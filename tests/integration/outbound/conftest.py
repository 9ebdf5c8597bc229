"""Landing by the stream's own rules, and the relay step by step beside it."""

import asyncio
from collections.abc import Callable, Iterator, Sequence

import pytest
from prometheus_client import CollectorRegistry

from connectors.outbound.contract import projection
from connectors.outbound.relay import progress
from connectors.outbound.relay.metrics import Metrics
from connectors.outbound.relay.relay import Relay
from connectors.outbound.relay.topics import NotSent
from stream.core.batch import divide
from stream.core.decode import decode
from stream.core.records import RawRecord
from stream.edges.warehouse.landing import Warehouse
from stream.worker import read_policy
from tests.fakes.topic import FakeTopics

Land = Callable[..., None]


@pytest.fixture
def land(warehouse_url: str) -> Iterator[Land]:
    """Land records in one transaction, as the worker does."""
    edge = Warehouse(warehouse_url, read_policy())
    yield lambda *records: land_with(edge, records)
    edge.close()


def land_with(edge: Warehouse, records: Sequence[RawRecord]) -> dict[int, str]:
    """Land one batch; the outcome of each record by its place."""
    policy = read_policy()
    return {place: outcome.value for place, outcome in edge.land(divide(decode(one, policy) for one in records)).outcomes.items()}


@pytest.fixture
def topics() -> FakeTopics:
    """Empty topics."""
    return FakeTopics()


def carry(url: str, topics: FakeTopics, parts: int | None = None) -> None:
    """Start a relay, let it carry all there is (or so many parts, or until an answer is lost), and have it die."""

    async def run() -> None:
        relay = Relay(url, topics, projection.shipped(), Metrics(CollectorRegistry()))  # type: ignore[arg-type]
        async with await relay.connect() as connection:
            done, found, left = await progress.read(connection), True, parts
            while found and left != 0:
                done, found = await relay.step(connection, done)
                left = None if left is None else left - 1

    try:
        asyncio.run(run())
    except NotSent:
        return
