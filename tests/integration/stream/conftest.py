"""The warehouse edge on a fresh database, and plain looks at what it wrote."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from stream.edges.warehouse.landing import Warehouse
from stream.worker import read_policy

Query = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[Warehouse]:
    """The edge on a fresh warehouse."""
    edge = Warehouse(warehouse_url, read_policy())
    yield edge
    edge.close()


@pytest.fixture
def query(warehouse_url: str) -> Iterator[Query]:
    """Run a statement, committed, and return its rows."""
    with psycopg.connect(warehouse_url, autocommit=True) as connection:

        def run(statement: str, *parameters: object) -> list[tuple[Any, ...]]:
            cursor = connection.execute(statement, parameters or None)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

        yield run


@pytest.fixture
def server_connection(warehouse_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A session with an empty temporary table `copied`: a column of each type of the history."""
    with psycopg.connect(warehouse_url, autocommit=True) as connection:
        connection.execute(
            "create temporary table copied (place serial, one text, several text[], version bigint, number integer, "
            "identity uuid, document jsonb, positions numeric(39)[], score numeric, moment timestamptz, "
            "counted timestamptz, hash bytea)"
        )
        yield connection
