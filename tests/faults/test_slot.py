"""The replication slot is how the store remembers what was captured: F9 lost, F10 moved ahead, F11 held back for ever."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from ops.stack import postgres
from tests.conftest import wait_until
from tests.faults.line import Line
from tests.faults.traffic import signal


@pytest.fixture(autouse=True)
def renewed(line: Line) -> None:
    """Every test here loses history for good."""
    line.renew()


def test_a_lost_slot_stops_the_capture_loudly_until_a_new_snapshot_closes_the_gap(line: Line) -> None:
    """F9: nothing flows and an alert fires when the slot is gone; after the documented backfill every living ticket is right.

    Guards: snapshot.mode=initial, and the connector watch that gives up after five restarts. Seen with when_needed: a new
    slot and no alert; with a watch that never gives up: restarts and no alert.
    """
    write_before_gap(line)
    line.stack.stop("connect")
    line.store("select pg_drop_replication_slot('cx_enrichment')")
    write_in_gap(line)
    assert_refuses(line)
    assert_backfill_closes_the_gap(line)


def test_an_invalidated_slot_is_as_loud_as_a_lost_one(line: Line) -> None:
    """F9: the same when the store gave up the slot because it held more log than max_slot_wal_keep_size.

    Guard: the watch looks at wal_status itself. Seen without it: Debezium says RUNNING and tries 900 times; no alert in 180 s.
    """
    write_before_gap(line)
    line.stack.stop("connect")
    write_in_gap(line)
    with own_server(line, max_slot_wal_keep_size="1MB"):
        write_log(line.stack.store_url, megabytes=64)
        line.store("checkpoint")
        assert line.store("select wal_status from pg_replication_slots") == [("lost",)]
    assert_refuses(line)
    assert_backfill_closes_the_gap(line)


@pytest.mark.parametrize("open_transaction", [False, True], ids=["its oldest log too", "its oldest log held back"])
def test_a_slot_ahead_of_the_stored_offset_is_refused(line: Line, open_transaction: bool) -> None:
    """F10: after pg_replication_slot_advance nothing is captured and an alert fires, instead of a silent gap.

    Guard: connectors/resume.py, asked before Connect starts. Seen without, the oldest log held back: the connector ran, no alert
    in 180 s, and the changes between were gone; Debezium (trust_offset) compares that log alone, and refused only the first case.
    """
    write_before_gap(line)
    line.stack.stop("connect")
    with psycopg.connect(line.stack.store_url) as oldest:
        if open_transaction:
            oldest.execute("select pg_current_xact_id()")  # until it ends, restart_lsn stays before it
        write_in_gap(line)
        line.store("checkpoint")  # logs which transactions run: from there the slot may begin
        line.store("select pg_replication_slot_advance('cx_enrichment', pg_current_wal_lsn())")
    assert_refuses(line)
    wait_until(lambda: "bytes of log beyond" in line.stack.part("connect")["last_exit"], what="the supervisor telling why")
    assert_backfill_closes_the_gap(line)


def test_idle_captured_tables_do_not_hold_back_the_log(line: Line) -> None:
    """F11: while only another table of the store is written, the slot's oldest needed log keeps up with the heartbeat.

    Guard: the heartbeat, which writes a captured row every 10 s. Seen without: after 90 s the slot still needed the log from
    before the 64 MB.
    """
    line.write(signal("idle"))
    line.settle()
    write_log(line.stack.store_url, megabytes=64)
    [(written,)] = line.store("select pg_current_wal_lsn()::text")
    passed = f"select 1 from pg_replication_slots where slot_name = 'cx_enrichment' and restart_lsn >= '{written}'"
    wait_until(lambda: line.store(passed), seconds=90, what=f"the slot needing no log before {written}")
    line.assert_right()


def write_before_gap(line: Line) -> None:
    line.write(signal("quiet"), signal("changed"), signal("goes"))
    line.settle()


def write_in_gap(line: Line) -> None:
    """What nobody captures: a version, a version that is overwritten at once, a new ticket, a delete."""
    line.write(signal("changed", 2), signal("changed", 3, sentiment="neutral"), signal("new"))
    line.delete("goes")


def assert_refuses(line: Line) -> None:
    """Connect starts; the alert of a connector that keeps failing fires, and not one record is written."""
    before = line.offsets()
    line.release("connect")
    wait_until(lambda: line.alerts("stack:connector") == ["firing"], 180, "the alert of a connector that keeps failing")
    assert line.offsets() == before


def assert_backfill_closes_the_gap(line: Line) -> None:
    """A new snapshot brings what lives; the ticket deleted in the gap is all that is left to reconciliation."""
    line.capture_anew()
    line.settle()
    left = [(problem.kind, problem.subject) for problem in line.verdict(history=False).problems]
    assert left == [("extra ticket", "('zendesk', 'goes')"), ("missing tombstone", "('zendesk', 'goes')")]
    wait_until(lambda: line.alerts("stack:connector") == ["firing", "ok"], what="the alert being over")


def write_log(store_url: str, megabytes: int) -> None:
    """Write a table that is not captured."""
    with psycopg.connect(store_url, autocommit=True) as store:
        store.execute("create table public.busy (noise text)")
        for _ in range(megabytes):
            noise = "(select string_agg(md5(random()::text), '') from generate_series(1, 30000))"
            store.execute(f"insert into public.busy select {noise}")
        store.execute("drop table public.busy")


@contextmanager
def own_server(line: Line, **settings: str) -> Iterator[None]:
    """The stack's PostgreSQL, run by the test with other settings for a while."""
    ours = line.stack.layout.server
    server = postgres.Server(ours.directory, ours.port, ours.password, tuple(settings.items()))
    line.stack.stop("postgres")
    process = subprocess.Popen(postgres.command(server), cwd="/", stderr=subprocess.DEVNULL, **postgres.run_as())  # type: ignore[call-overload]
    try:
        wait_until(lambda: postgres.is_ready(server), what="PostgreSQL being ready")
        yield
    finally:
        process.send_signal(2)
        process.wait(timeout=30)
        line.stack.start("postgres")
