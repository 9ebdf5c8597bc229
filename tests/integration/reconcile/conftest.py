"""A line with a hundred tickets on both sides."""

import pytest

from tests.integration.reconcile.line import ACCOUNTS, TICKETS, Line


@pytest.fixture
def line(store_url: str, warehouse_url: str) -> Line:
    """Store and warehouse hold the same hundred tickets and five accounts."""
    line = Line(store_url, warehouse_url)
    line.store(TICKETS, [100])
    line.store(ACCOUNTS)
    line.land()
    line.land("accounts")
    return line
