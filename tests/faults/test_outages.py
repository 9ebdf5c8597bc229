"""F12: the warehouse is away, full, locked or slow. The stream waits and catches up; nothing of it is the records' fault."""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.conftest import wait_until
from tests.faults.line import Line
from tests.faults.proxy import Proxy
from tests.faults.traffic import signal

HISTORY, COUNTS = "landing.ticket_signal_versions", "landing.consumed_records"
WAITING = "select xact_start from pg_stat_activity where application_name = 'cx-worker' and wait_event_type = 'Lock'"


def write(line: Line, prefix: str) -> None:
    with line.traffic(prefix) as traffic:
        traffic.write(200)
        traffic.finish()


def assert_caught_up(line: Line) -> None:
    """Everything arrived, and no record was called bad for what the warehouse did."""
    line.assert_right()
    blamed = line.warehouse("select reason from landing.dead_letters where reason <> 'conflict'")
    assert blamed == []


@pytest.fixture(autouse=True)
def the_worker_waits(line: Line) -> Iterator[None]:
    """No outage of the warehouse takes the worker down."""
    before = line.stack.part("worker")["restarts"]
    yield
    assert line.stack.part("worker")["restarts"] == before, "the worker went down instead of waiting"


@pytest.mark.ci
def test_the_stream_waits_for_a_warehouse_that_is_away(line: Line) -> None:
    """The connection is cut while traffic goes on, for as long as several attempts take; then the stream catches up.

    Guard: a broken connection is the warehouse's fault. Seen when it was called the records': the worker went down six times.
    """
    with Proxy(line.stack.layout.postgres_port) as proxy:
        address = line.stack.warehouse_url.replace(f":{line.stack.layout.postgres_port}/", f":{proxy.port}/")
        line.stack.stop("worker")
        line.stack.start("worker", CX_WAREHOUSE_URL=address)
        with line.traffic("away") as traffic, traffic.running():
            line.wait_for_changes(100)
            proxy.cut()
            wait_until(lambda: proxy.refused >= 6, what="six refused attempts")
            line.wait_for_changes(100)
            proxy.restore()
        assert_caught_up(line)
        line.stack.stop("worker")
    line.stack.start("worker")


@pytest.mark.ci
def test_the_stream_waits_for_room_on_a_full_disk(line: Line) -> None:
    """SQLSTATE 53100 from every insert, as a full disk gives it, is retried; when there is room the batch lands.

    Guard: class 53 is the warehouse's fault. Seen when it was called the records': no further attempts, nothing landed.
    """
    line.warehouse("create sequence public.refusals")
    line.warehouse(
        "create function public.refuse() returns trigger language plpgsql security definer as $$ begin"
        " perform nextval('public.refusals');"
        " raise exception 'could not extend file: No space left on device' using errcode = 'disk_full'; end $$"
    )
    line.warehouse(f"create trigger full_disk before insert on {HISTORY} for each statement execute function public.refuse()")
    try:
        write(line, "full")
        wait_until(lambda: line.warehouse("select last_value from public.refusals where last_value >= 4"), what="four attempts")
    finally:
        line.warehouse("drop function public.refuse cascade")
        line.warehouse("drop sequence public.refusals")
    assert_caught_up(line)


@pytest.mark.ci
def test_a_deadlock_is_tried_again(line: Line) -> None:
    """A session of somebody else and the worker wait for each other's tables; the worker is the victim and repeats its batch.

    Guard: class 40 is the warehouse's fault. Seen when it was called the record's: the ticket was missing, its record a dead
    letter (database_refused).
    """
    deadlocks = "select deadlocks from pg_stat_database where datname = 'warehouse'"
    before = line.warehouse(deadlocks)
    # The worker looks once, so long after it began to wait: by then the rival waits too, and never looks itself.
    with worker_with(line, deadlock_timeout="10s"), psycopg.connect(line.stack.warehouse_url) as rival:
        rival.execute("set deadlock_timeout = '1h'")
        rival.execute("set lock_timeout = '60s'")
        line.settle()
        rival.execute(f"lock table {COUNTS} in share mode")  # it may be read: the worker waits once it has written the history
        line.write(signal("deadlock"))  # a batch of one: halving a larger one would be an attempt more
        wait_until(lambda: line.warehouse(WAITING), what="the worker waiting for the table")
        rival.execute(f"lock table {HISTORY} in share mode")
    wait_until(lambda: line.warehouse(deadlocks) > before, what="PostgreSQL having counted the deadlock")
    assert_caught_up(line)


@contextmanager
def worker_with(line: Line, **settings: str) -> Iterator[None]:
    """The worker with other settings of its role in the warehouse; they are gone after the block, for later sessions."""
    line.stack.stop("worker")
    for name, value in settings.items():
        line.warehouse(f"alter role cx_worker in database warehouse set {name} = '{value}'")
    line.stack.start("worker")
    try:
        yield
    finally:
        for name in settings:
            line.warehouse(f"alter role cx_worker in database warehouse reset {name}")


@pytest.mark.ci
def test_a_statement_that_takes_too_long_is_tried_again(line: Line) -> None:
    """A statement time-out of the worker's role cancels batch after batch behind a lock; when it is gone they land.

    Guard: class 57 is the warehouse's fault. Seen when it was called a misconfiguration: the worker went down nine times.
    """
    with worker_with(line, statement_timeout="300ms"), psycopg.connect(line.stack.warehouse_url) as holder:
        holder.execute(f"lock table {HISTORY} in access exclusive mode")
        write(line, "slow")
        attempts = set[object]()

        def tried_again() -> bool:
            attempts.update(line.warehouse(WAITING))
            return len(attempts) >= 3

        wait_until(tried_again, what="three attempts")
    assert_caught_up(line)


def test_the_worker_survives_a_restart_of_the_warehouse(line: Line) -> None:
    """PostgreSQL is killed under a batch; store and warehouse recover; nothing committed in the store is missing.

    Guards: a connection that breaks is the warehouse's fault, and a worker that ends is started again. Seen without the first:
    the worker went down; the second alone brought everything, so the fixture demands that it stayed up.
    """
    write(line, "killed")
    with contextlib.closing(psycopg.connect(line.stack.warehouse_url)) as holder:
        holder.execute(f"lock table {HISTORY} in access exclusive mode")
        line.write(signal("waits"))
        wait_until(lambda: line.warehouse(WAITING), what="a batch waiting for the table")
        line.stack.kill("postgres", stay_down=False)
    line.stack.wait_until_up("postgres")
    line.stack.wait_until_up("worker")
    write(line, "recovered")
    line.assert_right()
