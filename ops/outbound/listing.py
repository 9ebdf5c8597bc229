"""What a person may ask of the outbound part: short, on a connection of its own."""

from typing import Any

import psycopg
from psycopg.rows import dict_row

from connectors.outbound.crm import memory
from connectors.outbound.relay import progress

REFUSED = """
select account_id, changed_at, attempts, last_error from ops.crm_accounts where state = 'refused' order by account_id
"""


def refused(url: str, retry: bool) -> list[dict[str, Any]]:
    """Accounts whose flags the CRM refuses; with `retry` they are due again."""
    with psycopg.connect(url, row_factory=dict_row, connect_timeout=5) as connection:
        found = connection.execute(REFUSED).fetchall()
        if retry:
            connection.execute(memory.RETRY)
        return found


def refill(url: str) -> int:
    """Have the topics told everything anew; how many tickets there are."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        connection.execute(progress.REFILL)
        row = connection.execute("select count(*) from landing.ticket_signals").fetchone()
        return int(row[0]) if row else 0
