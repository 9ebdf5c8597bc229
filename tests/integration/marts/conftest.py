"""A warehouse whose marts dbt builds in this process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.marts.warehouse import Warehouse


@pytest.fixture
def warehouse(warehouse_url: str, tmp_path: Path) -> Iterator[Warehouse]:
    """An empty warehouse as the publisher's dbt sees it."""
    warehouse = Warehouse(warehouse_url, tmp_path / "dbt")
    yield warehouse
    warehouse.close()
