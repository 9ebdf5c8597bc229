"""The warehouse edge against a real PostgreSQL."""

from collections.abc import Iterator

import psycopg
import pytest

from stream.core.batch import divide
from stream.core.decode import decode
from stream.edges.warehouse.landing import Landed, Warehouse
from stream.worker import read_policy
from tests.unit.stream.events import changed, deleted, signal

POLICY = read_policy()


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[Warehouse]:
    """The edge on a fresh warehouse."""
    edge = Warehouse(warehouse_url, POLICY)
    yield edge
    edge.close()


def land(warehouse: Warehouse, *records: object) -> Landed:
    return warehouse.land(divide([decode(record._replace(offset=record.offset or place), POLICY) for place, record in enumerate(records)]))


def query(url: str, statement: str) -> list[tuple]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def test_a_version_lands_in_history_and_latest(warehouse: Warehouse, warehouse_url: str) -> None:
    """A new version is in the history and is the ticket's latest."""
    landed = land(warehouse, changed(signal(), 10), changed(signal(version=2), 11))

    assert landed.outcomes == {0: "applied", 1: "applied"}
    assert query(warehouse_url, "select version, raw_tags, custom_metrics->>'emoji' from landing.ticket_signals") == [
        (2, ["refund", 'two "words"\\'], "é")
    ]
    assert query(warehouse_url, "select version from landing.ticket_signal_versions order by 1") == [(1,), (2,)]


def test_conflict(warehouse: Warehouse, warehouse_url: str) -> None:
    """The lower position stands whichever arrives first."""
    land(warehouse, changed(signal(), 20, 0))
    landed = land(warehouse, changed(signal(driver="Other"), 10, 1))
    assert landed.outcomes == {0: "applied"}
    assert query(warehouse_url, "select driver from landing.ticket_signals") == [("Other",)]
    assert query(warehouse_url, "select reason, source_positions from landing.dead_letters") == [("conflict", [20])]
    landed = land(warehouse, deleted("t1", 15, 2))
    assert landed.outcomes == {0: "deleted"}
    assert query(warehouse_url, "select driver from landing.ticket_signals") == [("Billing",)]
    assert query(warehouse_url, "select status from landing.dead_letters") == [("resolved",)]
