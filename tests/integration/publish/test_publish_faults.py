"""F22 and F23: whatever stops a publish or reads beside it, the marts are whole and nobody waits."""

import signal
import subprocess
import sys

import psycopg
import pytest

from expectations.publish import transaction
from expectations.publish.shape import quoted
from tests.integration.publish.conftest import Warehouse, a_result
from tests.integration.publish.killed_cycle import MOMENTS


@pytest.mark.parametrize("suite", ["landing", "candidates"])
def test_a_gate_that_fails_in_the_middle_of_the_day_leaves_the_marts_byte_for_byte(warehouse: Warehouse, suite: str) -> None:
    """F22: held cycles write no mart and no publication; the next good one brings all that landed meanwhile.

    Guard: `verdict.publishes` in cycle.Attempt.publish. Without it the first held cycle changes the marts.
    """
    warehouse.land(1, 5)
    warehouse.cycle()
    before = warehouse.marts()
    warehouse.gate.failing[suite] = a_result(suite, "failed")
    for first in (6, 8):
        warehouse.land(first, first + 1, driver="shipping")
        assert warehouse.cycle().result == "held"
        assert warehouse.marts() == before
    warehouse.gate.failing.clear()

    assert warehouse.cycle().result == "published"

    assert warehouse.drivers() == {"pricing": 5, "shipping": 4}
    assert warehouse.execute("select count(*) from marts.publications") == [(2,)]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_publisher_leaves_whole_marts_and_the_next_cycle_heals(warehouse: Warehouse, moment: str) -> None:
    """F22: SIGKILL at any moment leaves the previous or the next complete state; the next cycle publishes everything.

    Guard: the one transaction in transaction.publish. Without it a kill between two marts leaves one of them new.
    """
    warehouse.land(1, 5)
    warehouse.cycle()
    warehouse.land(4, 7, driver="shipping", version=2)

    killed = subprocess.run([sys.executable, "-m", "tests.integration.publish.killed_cycle", warehouse.url, moment], check=False)

    assert killed.returncode == -signal.SIGKILL
    changed = moment == "after the commit"
    assert warehouse.drivers() == ({"pricing": 3, "shipping": 4} if changed else {"pricing": 5})
    assert totals_and_tickets(warehouse.url) == ((7, 7) if changed else (5, 5))
    warehouse.land(8, 8)
    assert warehouse.cycle().result == "published"
    assert warehouse.drivers() == {"pricing": 4, "shipping": 4}
    assert totals_and_tickets(warehouse.url) == (8, 8)


def test_a_reader_in_a_long_transaction_waits_for_nobody_and_nobody_for_it(warehouse: Warehouse) -> None:
    """F23: several publishes pass a REPEATABLE READ reader, which keeps seeing one state; a lock wait fails the test at once.

    Guard: plain delete, update and insert in differences.py; the next test takes it away.
    """
    warehouse.land(1, 5)
    warehouse.cycle()
    forbid_waiting(warehouse)
    with psycopg.connect(warehouse.url) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        assert totals_and_tickets_of(reader) == (5, 5)
        for number in (6, 7, 8):
            warehouse.land(number, number)
            outcome = warehouse.cycle()
            assert outcome.result == "published", outcome.message
            assert totals_and_tickets_of(reader) == (5, 5)
    assert totals_and_tickets(warehouse.url) == (8, 8)


def test_filling_a_table_anew_would_wait_for_the_reader(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """F23 with its guard taken out: a publish by truncate and insert cannot pass the reader of the test before."""
    warehouse.land(1, 5)
    warehouse.cycle()
    forbid_waiting(warehouse)
    monkeypatch.setattr(transaction, "apply", truncate_and_insert)
    with psycopg.connect(warehouse.url) as reader:
        totals_and_tickets_of(reader)
        warehouse.land(6, 6)

        outcome = warehouse.cycle()

    assert outcome.result == "error"
    assert "lock timeout" in outcome.message


def test_readers_see_no_mixture_while_a_publish_is_under_way(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """F23: between the first mart and the commit, a new reader sees the previous state, whole, and does not wait.

    Guard: the one transaction in transaction.publish. Without it the reader counts 6 tickets and totals of 5.
    """
    warehouse.land(1, 5)
    warehouse.cycle()
    forbid_waiting(warehouse)
    warehouse.land(6, 6)
    seen = []
    apply = transaction.apply

    def apply_and_look(connection: psycopg.Connection, change: transaction.Change) -> dict[str, int]:
        counts = apply(connection, change)
        seen.append(totals_and_tickets(warehouse.url))
        return counts

    monkeypatch.setattr(transaction, "apply", apply_and_look)

    assert warehouse.cycle().result == "published"
    assert seen == [(5, 5), (5, 5)]
    assert totals_and_tickets(warehouse.url) == (6, 6)


def test_a_new_column_gives_way_to_readers(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mart that a reader keeps open gets its new column later: this cycle tries again, reader and marts are untouched."""
    monkeypatch.setattr(transaction, "LOCK_ATTEMPTS", 2)
    warehouse.land(1, 5)
    warehouse.cycle()
    warehouse.builder.tweak = "alter table build.fct_drivers add column if not exists share numeric;"
    with psycopg.connect(warehouse.url) as reader:
        totals_and_tickets_of(reader)
        blocked = warehouse.cycle()
        assert totals_and_tickets(warehouse.url) == (5, 5)
    assert blocked.result == "error"
    assert "a reader keeps marts.fct_drivers" in blocked.message
    assert warehouse.cycle().result == "published"


def forbid_waiting(warehouse: Warehouse) -> None:
    """Make every lock wait of new sessions an error after two seconds."""
    database = psycopg.conninfo.conninfo_to_dict(warehouse.url)["dbname"]
    warehouse.execute(f"alter database {quoted(str(database))} set lock_timeout = '2s'")


def truncate_and_insert(connection: psycopg.Connection, change: transaction.Change) -> dict[str, int]:
    name = change.mart.name
    connection.execute(f"truncate marts.{name}")  # type: ignore[arg-type]
    connection.execute(f"insert into marts.{name} select * from build.{name}")  # type: ignore[arg-type]
    return {}


def totals_and_tickets(url: str) -> tuple[int, int]:
    with psycopg.connect(url) as connection:
        return totals_and_tickets_of(connection)


def totals_and_tickets_of(connection: psycopg.Connection) -> tuple[int, int]:
    """Tickets as the driver totals add up, and as they are listed: two readings, as a dashboard makes them."""
    totals = connection.execute("select sum(tickets)::int from marts.fct_drivers").fetchone()
    tickets = connection.execute("select count(*) from marts.fct_ticket_signals").fetchone()
    assert totals
    assert tickets
    return totals[0], tickets[0]
