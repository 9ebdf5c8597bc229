"""Reconciliation, repair and backfill on the running line: the commands themselves, Debezium and the worker included."""

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
from click.testing import CliRunner

from ops.backfill import connector
from ops.backfill.offsets import partition_ends
from ops.cli import cx
from ops.reconcile.settled import TOPICS
from stream.kafka import KafkaAccess
from tests.conftest import wait_until
from tests.faults.line import Line
from tests.faults.traffic import Traffic
from tests.stack_fixture import RunningStack

TICKETS = """
insert into enrichment.ticket_signals
select gen_random_uuid(), '2026-01-01'::timestamptz + i * interval '1 second', 'zendesk', %(prefix)s || i, null, 'positive', 0.5,
    'low', 'high', array['refund'], 'refund', 'Billing', jsonb_build_object('seconds', i * 1.50), 'https://support.example/' || i,
    null, %(prefix)s || i || ':1', 1
from generate_series(1, %(number)s) as i
"""


@dataclass
class Running:
    """A stack and a prefix of tickets that nobody else uses."""

    stack: RunningStack
    prefix: str

    def cx(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a subcommand; a stack trace is a failure whatever it is about."""
        command = [sys.executable, "-c", "from ops.cli import main; main()", *arguments]
        done = subprocess.run(command, env=self.stack.environment, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def reconcile(self, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
        """Exit code and the tables of the report."""
        done = self.cx("reconcile", "--json", *arguments)
        assert done.stdout, done.stderr
        return done.returncode, {one["table"]: one for one in json.loads(done.stdout)["tables"]}

    def store(self, statement: str, parameters: Any = None) -> None:
        with psycopg.connect(self.stack.store_url, autocommit=True) as connection:
            connection.execute(statement, parameters)  # type: ignore[call-overload]

    def warehouse(self, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.stack.warehouse_url, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def landed(self) -> int:
        [(number,)] = self.warehouse("select count(*) from landing.ticket_signals where ticket_id like %s", [f"{self.prefix}%"])
        return int(number)

    def write(self, number: int) -> None:
        """Tickets 1 to number, landed."""
        self.store(TICKETS, {"prefix": self.prefix, "number": number})
        wait_until(lambda: self.landed() == number, seconds=120, what=f"{number} tickets having landed")

    def forget(self, condition: str) -> None:
        """Remove tickets from landing by hand, as if they had never come."""
        self.warehouse(f"delete from landing.ticket_signal_versions where ticket_id like %s and {condition}", [f"{self.prefix}%"])


@pytest.fixture
def running(stack: RunningStack) -> Iterator[Running]:
    """The session's stack with tickets of this test, which are deleted at its end."""
    stack.wait_until_up("connect")
    stack.wait_until_up("worker")
    running = Running(stack, f"{secrets.token_hex(3)}-")
    yield running
    running.store("delete from enrichment.ticket_signals where ticket_id like %s", [f"{running.prefix}%"])
    wait_until(lambda: running.landed() == 0, seconds=120, what="the deletes having landed")


def test_the_ends_of_every_partition_are_known(running: Running) -> None:
    """Settling compares them with what was consumed: an empty answer would settle everything."""
    ends = partition_ends(KafkaAccess(running.stack.kafka_bootstrap), TOPICS)
    assert len(ends) == 14
    assert running.landed() == 0


def test_rows_changed_and_removed_by_hand_are_found_and_repaired(running: Running) -> None:
    """F19: ten tickets among 3,000 are named, alerted, read again by Debezium and equal afterwards; history is as before."""
    running.write(3000)
    versions = "select idempotency_key, content_hash from landing.ticket_signal_versions where ticket_id like %s order by 1"
    before = running.warehouse(versions, [f"{running.prefix}%"])
    like = f"ticket_id like '{running.prefix}%'"
    running.warehouse(
        f"update landing.ticket_signals set sentiment = 'negative' where {like} and right(ticket_id, 4) in ('-111', '-222')"
    )
    running.warehouse(
        f"update landing.ticket_signal_versions set effort = 'low' where {like} and right(ticket_id, 4) in ('-222', '-333')"
    )
    running.forget("right(ticket_id, 4) in ('-444', '-555', '-666', '-777', '-888')")
    running.warehouse(
        f"update landing.ticket_signals set ticket_id = ticket_id || 'x' where {like} and right(ticket_id, 4) = '-999'"
    )
    code, tables = running.reconcile()
    found = {row["identity"][1].removeprefix(running.prefix): row["kind"] for row in tables["ticket_signals"]["rows"]}
    missing = dict.fromkeys(("444", "555", "666", "777", "888", "999"), "missing")
    assert (code, found) == (1, {"111": "different", "222": "different", "333": "different", "999x": "extra", **missing})
    code, tables = running.reconcile("--repair")
    assert (code, tables["ticket_signals"]["repaired"]) == (0, 10)
    assert tables["ticket_signals"]["verified_through"]
    assert running.warehouse(versions, [f"{running.prefix}%"]) == before
    states = running.warehouse(
        "select state from ops.alert_outbox where fingerprint = 'reconcile:ticket_signals' order by alert_id"
    )
    assert [state for (state,) in states][-2:] == ["firing", "ok"]


def test_traffic_makes_no_false_alarm(running: Running) -> None:
    """Racing, repeating, contradicting, deleting writers go on while store and warehouse are compared, three times."""
    running.write(1000)

    with Traffic(running.stack.store_url, running.prefix) as traffic, ThreadPoolExecutor(1) as pool:
        for _ in range(3):
            traffic.write(50)
            comparison = pool.submit(running.reconcile)
            while not wait([comparison], timeout=0.05).done:
                traffic.write(5)
            code, tables = comparison.result()
            assert code == 0, [
                row for row in tables["ticket_signals"]["rows"] if row["kind"] in ("missing", "extra", "different")
            ]
        traffic.finish()
    code, tables = running.reconcile()
    assert code == 0
    assert tables["ticket_signals"]["verified_through"]


def test_a_backfill_brings_back_what_landing_lost(running: Running) -> None:
    """`--where` reads these rows and no other; the second time it changes nothing."""
    running.write(500)
    running.forget("length(ticket_id) = 9")  # the tickets 10 to 99
    where = f"ticket_id like '{running.prefix}%' and length(ticket_id) = 9"
    done = running.cx("backfill", "--where", where, "--json")
    [outcome] = json.loads(done.stdout.splitlines()[-1])["backfills"]
    assert (done.returncode, outcome["expected"], outcome["landed"]) == (0, 90, 90)
    assert running.landed() == 500
    snapshot = running.warehouse("select ticket_id, landed_xid::text from landing.ticket_signals order by 1")
    assert running.cx("backfill", "--where", where).returncode == 0
    assert running.warehouse("select ticket_id, landed_xid::text from landing.ticket_signals order by 1") == snapshot


def test_a_backfill_is_paused_and_resumed(running: Running) -> None:
    """Between pause and resume nothing is read; Connect keeps the rest; afterwards all rows have landed."""
    running.write(40_000)
    where = f"ticket_id like '{running.prefix}%'"
    assert running.cx("backfill", "--where", where, "--no-wait").returncode == 0
    wait_until(lambda: connector.running(running.stack.connect_url), what="the backfill running")
    # A process of its own would load its libraries for seconds, and Debezium would have read all by then.
    paused = CliRunner().invoke(cx, ["backfill", "--pause"], env=running.stack.environment)
    assert "1 of `cx backfill`" in paused.output
    status = json.loads(running.cx("backfill", "--status", "--json").stdout)
    assert status["running"][0]["table"].endswith("ticket_signals")
    assert status["backfills"][0]["state"] == "paused"
    assert "1 of `cx backfill`" in running.cx("backfill", "--resume").stdout
    done = running.cx("backfill", "--where", where)
    assert "a backfill that runs already reads 40000 rows" in done.stderr
    assert "40000 of 40000 rows have landed" in done.stdout
    [last] = json.loads(running.cx("backfill", "--status", "--json").stdout)["backfills"][:1]
    assert (last["state"], last["rows_landed"]) == ("finished", 40_000)


def test_a_gap_after_a_lost_slot_is_found_and_closed(running: Running) -> None:
    """F9: what was changed, added and deleted while nothing was captured is equal after the new snapshot and the repair."""
    running.write(200)
    line = Line(running.stack)
    connector_url = f"{running.stack.connect_url}/connectors/enrichment"
    httpx.put(f"{connector_url}/stop").raise_for_status()
    wait_until(lambda: (status := line.connector()) and status.connector == "STOPPED", what="the connector being stopped")
    # The walsender may outlive the task for a moment, and a slot in use cannot be dropped.
    idle = "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = 'cx_enrichment' and not active"
    wait_until(lambda: line.store(idle), what="the slot being dropped")
    tickets = "enrichment.ticket_signals where ticket_id"
    running.store(f"delete from {tickets} = any(%s)", [[f"{running.prefix}1", f"{running.prefix}2"]])
    raised = "update enrichment.ticket_signals set version = 2, idempotency_key = idempotency_key || 'b' where ticket_id = %s"
    running.store(raised, [f"{running.prefix}3"])
    done = running.cx("reconcile", "--patience", "5")
    assert (done.returncode, "the store has no replication slot cx_enrichment" in done.stderr) == (2, True)
    line.capture_anew()
    code, tables = running.reconcile("--repair")
    found = {row["identity"][1].removeprefix(running.prefix): row["kind"] for row in tables["ticket_signals"]["rows"]}
    assert (found.pop("1"), found.pop("2")) == ("extra", "extra")
    assert code == 0
    assert running.landed() == 198


@pytest.mark.parametrize("row_filter", ["no_such_column = 1", "true); delete from enrichment.accounts; --", "sentiment ="])
def test_a_filter_the_store_refuses_asks_for_nothing(running: Running, row_filter: str) -> None:
    """Exit code 2 and the store's sentence; no signal is written."""
    done = running.cx("backfill", "--where", row_filter)
    assert done.returncode == 2
    assert done.stderr.startswith("cx: ")


def test_a_dead_connector_gives_no_verdict(running: Running) -> None:
    """The rows that look different are counted, but none is called so, and a repair takes nothing out."""
    running.write(10)
    running.stack.stop("worker")
    try:
        raised = (
            "update enrichment.ticket_signals set version = 2, idempotency_key = idempotency_key || 'b' where ticket_id like %s"
        )
        running.store(raised, [f"{running.prefix}%"])
        done = running.cx("reconcile", "--repair", "--patience", "5")
        assert done.returncode == 2
        assert "10 rows look different" in done.stderr
        assert running.landed() == 10
    finally:
        running.stack.start("worker")
