"""What the queue of webhooks forgets, and what it keeps whatever its age."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from connectors.outbound.webhooks import sweep
from connectors.outbound.webhooks.queue import Queue
from tests.integration.webhooks.conftest import subscription

STATES = ("waiting", "delivered", "superseded", "erased", "dead")
PUT = """
insert into ops.webhook_deliveries (
    subscription, source_system, ticket_id, message_id, kind, idempotency_key, body, state, not_before, queued_at, finished_at
)
select
    %(name)s, 'zendesk', %(state)s, gen_random_uuid()::text, 'cx.signal.changed', 'k', '\\x7b7d', %(state)s, %(at)s, %(at)s,
    case when %(state)s <> 'waiting' then %(at)s::timestamptz end
"""
NOW = datetime.now(UTC)


def put(url: str, *rows: tuple[str, timedelta], name: str = "one") -> None:
    """Queue messages in these states that were queued, and finished if so, that long ago."""
    with psycopg.connect(url) as connection:
        for state, age in rows:
            connection.execute(PUT, {"name": name, "state": state, "at": NOW - age})


def pruned(url: str) -> None:
    """Let the service's own connection forget, as it does every hour."""

    async def work() -> None:
        async with await Queue.open(url) as queue:
            await sweep.prune(queue, [subscription("http://127.0.0.1:1/hooks")], NOW)

    asyncio.run(work())


def kept(url: str) -> Sequence[tuple[str, int]]:
    """State and age in days of what is still there, in the order of the queue."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("select state, queued_at from ops.webhook_deliveries order by delivery_id").fetchall()
        return [(state, round((NOW - at) / timedelta(days=1))) for state, at in rows]


def test_what_is_done_goes_after_a_week_and_what_waits_never(warehouse_url: str) -> None:
    """Delivered, superseded and erased: 7 days; given up: 30 days; waiting: stays, however old."""
    ages = [timedelta(days=days) for days in (1, 6, 8, 29, 31, 400)]
    put(warehouse_url, *((state, age) for age in ages for state in STATES))
    pruned(warehouse_url)

    left = kept(warehouse_url)
    assert [age for state, age in left if state == "waiting"] == [1, 6, 8, 29, 31, 400]
    assert [age for state, age in left if state == "dead"] == [1, 6, 8, 29]
    for state in ("delivered", "superseded", "erased"):
        assert [age for one, age in left if one == state] == [1, 6]


def test_a_flood_is_forgotten_from_its_oldest_but_not_what_waits(warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the most that is kept of a subscription, the oldest finished go; waiting ones, and those of others, stay."""
    monkeypatch.setattr(sweep, "MOST_FINISHED", 3)
    hours = [timedelta(hours=hour) for hour in range(9, 0, -1)]
    put(warehouse_url, ("waiting", timedelta(hours=10)), *(("delivered", age) for age in hours), ("waiting", timedelta(0)))
    put(warehouse_url, *(("delivered", age) for age in hours), name="another")
    pruned(warehouse_url)

    with psycopg.connect(warehouse_url) as connection:
        rows = connection.execute(
            "select subscription, state, queued_at from ops.webhook_deliveries order by delivery_id"
        ).fetchall()
    assert [(state, NOW - at) for name, state, at in rows if name == "one"] == [
        ("waiting", timedelta(hours=10)), *(("delivered", age) for age in hours[-3:]), ("waiting", timedelta(0)),
    ]  # fmt: skip
    assert len([name for name, *_ in rows if name == "another"]) == 9


def test_what_was_heard_of_a_ticket_is_forgotten_after_a_week_without_news(warehouse_url: str) -> None:
    """The greatest sequence of a ticket stays as long as a record that is older could still be under way."""
    with psycopg.connect(warehouse_url) as connection:
        for days in (1, 6, 8, 400):
            values = (f"t{days}", NOW - timedelta(days=days))
            connection.execute("insert into ops.webhook_sequences values ('topic', 'zendesk', %s, '1', %s)", values)
    pruned(warehouse_url)

    with psycopg.connect(warehouse_url) as connection:
        assert connection.execute("select ticket_id from ops.webhook_sequences order by 1").fetchall() == [("t1",), ("t6",)]
