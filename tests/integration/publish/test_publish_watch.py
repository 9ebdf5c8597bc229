"""The resident publisher: wakes for news, rests otherwise, and gets over a warehouse that went away."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from expectations.policy import Timing
from expectations.publish import lock
from expectations.publish.cycle import Cycle, Outcome
from expectations.publish.lock import Occupied
from expectations.publish.watch import Watch, anything_new
from tests.conftest import wait_until
from tests.integration.publish.conftest import Warehouse

END_SESSIONS = """
select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'cx publish' and datname = current_database()
"""


class Resident:
    """The test warehouse's parts, as the loop wants them."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.edited = False

    def connect(self) -> psycopg.Connection:
        return lock.connect(self.warehouse.url)

    def cycle(self, connection: psycopg.Connection) -> Cycle:
        return Cycle(connection, self.warehouse.builder, self.warehouse.gate)

    def files_changed(self) -> bool:
        edited, self.edited = self.edited, False
        return edited

    def timing(self) -> Timing:
        return Timing(error_backoff_seconds=(0.05,))


class Running:
    """A loop in a thread, and what it told."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.resident = Resident(warehouse)
        self.told: list[tuple[str, str]] = []
        self.said: list[str] = []
        self.stop = threading.Event()
        self.watch = Watch(self.resident, 0.05, self.tell, self.said.append)

    def tell(self, outcome: Outcome, reason: str) -> None:
        self.told.append((outcome.result, reason))


@contextmanager
def running(warehouse: Warehouse) -> Iterator[Running]:
    loop = Running(warehouse)
    thread = threading.Thread(target=loop.watch.run, args=[loop.stop])
    thread.start()
    try:
        wait_until(lambda: loop.told, 20, "the first cycle")
        yield loop
    finally:
        loop.stop.set()
        thread.join(timeout=20)
        assert not thread.is_alive()


def test_new_rows_are_published_and_idle_ticks_do_nothing(warehouse: Warehouse) -> None:
    """One cycle at the start, one per news; many ticks without news add none."""
    with running(warehouse) as loop:
        warehouse.land(1, 3)
        wait_until(lambda: len(loop.told) == 2, 20, "a cycle for the new rows")
        deadline = time.monotonic() + 0.5
        wait_until(lambda: time.monotonic() > deadline, 5, "ten idle ticks")
        assert loop.told == [("published", "start"), ("published", "new rows")]
        assert warehouse.drivers() == {"pricing": 3}


def test_an_edited_model_or_policy_is_a_reason(warehouse: Warehouse) -> None:
    """An edit is picked up without a restart."""
    with running(warehouse) as loop:
        loop.resident.edited = True
        wait_until(lambda: ("published", "files changed") in loop.told, 20, "a cycle for the edit")


def test_a_lost_connection_is_one_alert_and_one_recovery(warehouse: Warehouse) -> None:
    """The session is ended in the middle of a cycle: the next tick connects, publishes, and both facts reach the outbox once."""
    warehouse.land(1, 3)
    with running(warehouse) as loop:
        run = warehouse.builder.run
        failures = iter([True])

        def lose_the_session_once() -> None:
            run()
            if next(failures, False):
                warehouse.execute(END_SESSIONS)

        warehouse.builder.run = lose_the_session_once  # type: ignore[method-assign]
        warehouse.land(4, 5)
        wait_until(lambda: loop.told[-1:] == [("published", "retry")], 20, "the publish after the loss")
    assert warehouse.drivers() == {"pricing": 5}
    assert [result for result, _ in loop.told] == ["published", "error", "published"]
    assert warehouse.execute(CAN_RUN_ALERTS) == [("firing",), ("ok",)]


CAN_RUN_ALERTS = "select state from ops.alert_outbox where fingerprint = 'gate:cycle:can_run' order by alert_id"


def test_a_stop_in_the_last_cycle_before_a_fresh_start_is_a_stop(warehouse: Warehouse) -> None:
    """A process that grew asks for a fresh start; not when it was told to stop in that very cycle."""
    resident, stop = Resident(warehouse), threading.Event()
    resident.timing = lambda: Timing(recycle_after_cycles=1, recycle_megabytes=0)  # type: ignore[method-assign]

    assert Watch(resident, 0.05, lambda *_: None, lambda _: None).run(threading.Event())
    assert not Watch(resident, 0.05, lambda *_: stop.set(), lambda _: None).run(stop)


def test_a_deadlock_is_retried(warehouse: Warehouse) -> None:
    """The victim of a deadlock alerts once, publishes at the next try, and says that it is over."""
    warehouse.land(1, 3)
    warehouse.cycle()
    warehouse.land(4, 4)
    run = warehouse.builder.run

    def deadlocked() -> None:
        raise psycopg.errors.DeadlockDetected("deadlock detected")

    warehouse.builder.run = deadlocked  # type: ignore[method-assign]
    assert warehouse.cycle().result == "error"
    assert warehouse.cycle().result == "error"
    warehouse.builder.run = run  # type: ignore[method-assign]
    assert warehouse.cycle().result == "published"
    assert warehouse.execute(CAN_RUN_ALERTS) == [("firing",), ("ok",)]


def test_there_is_one_publisher_at_a_time(warehouse: Warehouse) -> None:
    """The second one is refused, and told which session holds the lock."""
    with warehouse.connect(), pytest.raises(Occupied, match="another publisher is at work"):
        lock.connect(warehouse.url)


def test_news_are_found_whatever_the_order_of_commits(warehouse: Warehouse) -> None:
    """A transaction that began before the last look and committed after it is news."""
    with psycopg.connect(warehouse.url) as early:
        early.execute("select pg_current_xact_id()")
        with psycopg.connect(warehouse.url, autocommit=True) as publisher:
            warehouse.land(1, 1)
            seen = str(publisher.execute("select pg_current_snapshot()::text").fetchone()[0])  # type: ignore[index]
            assert not anything_new(publisher, seen)
            early.execute(
                "insert into landing.deleted_tickets (source_system, ticket_id, deleted_position) values ('zendesk', 'T-9', 1)"
            )
            early.commit()
            assert anything_new(publisher, seen)


def test_gate_alerts_open_once_and_close_once(warehouse: Warehouse) -> None:
    """Two held cycles and a good one: one firing with its page of Data Docs, then one ok; each held cycle is in the register.

    The page is made for the alert that names it: a warning that lasts would else slow down every publish.
    """
    from tests.integration.publish.conftest import a_result

    warehouse.land(1, 3)
    warehouse.gate.failing["landing"] = a_result("landing", "failed")
    warehouse.cycle()
    warehouse.cycle()
    warehouse.gate.failing.clear()
    warehouse.cycle()

    alerts = warehouse.execute(
        "select state, severity, owner, details ->> 'data_docs' from ops.alert_outbox"
        " where fingerprint = 'gate:landing:is_right' order by alert_id"
    )
    assert alerts == [("firing", "critical", "team", "file:///docs/landing"), ("ok", "critical", "team", None)]
    assert warehouse.gate.documented == ["landing"]
    assert warehouse.execute("select outcome from ops.publish_cycles order by cycle_id") == [("held",), ("held",), ("published",)]
    assert warehouse.execute("select count(*) from ops.held_hours") in ([(1,)], [(2,)])
