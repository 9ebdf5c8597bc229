"""From the store to a subscriber, through every part."""

from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

from tests.conftest import wait_until
from tests.fakes import subscriber
from tests.stack_fixture import RunningStack
from tests.webhook_latency import SECRET, measure, subscriptions_file

KNOWN_SINCE = "select registered_at from ops.webhook_subscriptions where subscription = 'measured'"
TABLES = ("webhook_subscriptions", "webhook_deliveries", "webhook_tickets", "webhook_positions", "webhook_sequences")
NEWEST = "select ticket_id, version from landing.ticket_signals where landed_at > %s"


def test_what_the_store_commits_a_subscriber_hears(stack: RunningStack, tmp_path: Path) -> None:
    """With simulated misbehaviour: every message is verified, the newest version of every ticket is among them, soon."""
    with subscriber.running(SECRET) as hook, subscriptions_file(tmp_path, hook) as file:
        stack.stop("outbound")
        stack.start("outbound", CX_WEBHOOKS=str(file))
        try:
            with psycopg.connect(stack.warehouse_url, autocommit=True) as warehouse:
                wait_until(lambda: warehouse.execute(KNOWN_SINCE).fetchone(), 60, "the subscription being known")
                [(since,)] = warehouse.execute(KNOWN_SINCE).fetchall()
                measured = measure(stack, hook, rate=20, seconds=10, since=since)
                newest = warehouse.execute(NEWEST, [since]).fetchall()
        finally:
            stack.stop("outbound")
            _forget(stack.warehouse_url)
            stack.start("outbound")

    print(measured)  # noqa: T201 - shown when it fails, and by pytest -s
    assert measured.forged == 0
    assert len(newest) > 20
    told = {ticket: max(hook.versions(ticket), default=0) for ticket, _ in newest}
    assert {ticket: version for ticket, version in newest if told[ticket] != version} == {}
    assert sorted(measured.total)[len(measured.total) // 2] < 5


def _forget(warehouse_url: str) -> None:
    """Leave nothing of the subscription behind: the stack is shared."""
    with psycopg.connect(warehouse_url) as warehouse:
        for table in TABLES:
            warehouse.execute(SQL("delete from ops.{}").format(Identifier(table)))
