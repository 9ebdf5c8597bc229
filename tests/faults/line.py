"""The whole line under test, from the store to landing: a running stack with a journal, and the words the fault tests speak."""

import asyncio
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg

from connectors import register
from ops.settings import PROJECT_DIRECTORY
from tests.conftest import wait_until
from tests.faults import topics
from tests.faults.traffic import UPSERT, Row, Traffic, bound
from tests.judge import Verdict, judge, partition_offsets
from tests.stack_fixture import RunningStack

JOURNAL = Path(__file__).parent.parent / "journal.sql"
LANDING = (
    "ticket_signal_versions",
    "restated_tickets",
    "deleted_tickets",
    "tag_taxonomy",
    "accounts",
    "dead_letters",
    "consumed_records",
    "schema_drifts",
)
OUTCOMES = ("applied", "duplicate", "stale", "conflict", "rejected", "deleted")
GROUP = "cx-signals"


@dataclass
class Line:
    """`foreign` collects the reasons of dead letters whose records a test wrote to a topic itself."""

    stack: RunningStack
    foreign: list[str] = field(default_factory=list)

    def store(self, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """Execute a statement in the store, committed, and return its rows."""
        return _execute(self.stack.store_url, statement, parameters)

    def warehouse(self, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """Execute a statement in the warehouse, committed, and return its rows."""
        return _execute(self.stack.warehouse_url, statement, parameters)

    def write(self, *rows: Row) -> None:
        """Upsert rows into the store, each in its own transaction."""
        with psycopg.connect(self.stack.store_url, autocommit=True) as connection:
            for row in rows:
                connection.execute(UPSERT, bound(row))

    def delete(self, ticket: str) -> None:
        """Delete a ticket from the store."""
        self.store("delete from enrichment.ticket_signals where ticket_id = %s", [ticket])

    @contextmanager
    def traffic(self, prefix: str, seed: int = 1) -> Iterator[Traffic]:
        """Misbehaving writers on the store."""
        with Traffic(self.stack.store_url, prefix, seed) as traffic:
            yield traffic

    @contextmanager
    def unreadable(self) -> Iterator[None]:
        """Nobody reads or writes the tickets meanwhile: a snapshot stands still where it is, however quick the machine."""
        with psycopg.connect(self.stack.store_url) as store:
            store.execute("lock table enrichment.ticket_signals in access exclusive mode")
            yield

    def mark(self) -> str:
        """Write an account whose arrival proves that everything committed before it has been captured."""
        name = f"mark-{secrets.token_hex(4)}"
        self.store("insert into enrichment.accounts (account_id) values (%s)", [name])
        return name

    def wait_until_captured(self, seconds: float = 180.0) -> None:
        """Return when every change committed so far is in the topics."""
        name = self.mark().encode()
        wait_until(lambda: any(name in (r.key or b"") for r in topics.read(self.stack.kafka_bootstrap, topics.ACCOUNTS)), seconds)

    def settle(self, seconds: float = 180.0) -> None:
        """Return when everything committed so far has been captured and consumed."""
        name = self.mark()
        wait_until(lambda: self.warehouse("select 1 from landing.accounts where account_id = %s", [name]), seconds, "capture")
        self.wait_until_consumed(seconds)

    def wait_until_consumed(self, seconds: float = 180.0) -> None:
        """Return when every record in the topics is accounted for."""
        wait_until(self.is_consumed, seconds, "the accounting reaching the ends of the partitions")

    def wait_until_acknowledged(self, seconds: float = 180.0) -> None:
        """Return when the group's committed offsets have reached the ends of all partitions."""
        wait_until(self.is_acknowledged, seconds, "the committed offsets reaching the ends of the partitions")

    def is_acknowledged(self) -> bool:
        committed = topics.committed(self.stack.kafka_bootstrap, GROUP)
        # What an earlier test wrote may be trimmed before it was acknowledged: a partition then begins behind its offset.
        return all(max(committed.get(place, 0), first) == end for place, (first, end) in self.offsets().items())

    def is_consumed(self) -> bool:
        read = {(topic, partition): offset for topic, partition, offset in self.warehouse(
            "select topic, kafka_partition, next_offset from landing.consumed_records")}  # fmt: skip
        return all(max(read.get(place, 0), first) == end for place, (first, end) in self.offsets().items())

    def offsets(self) -> dict[tuple[str, int], tuple[int, int]]:
        """First and end offset of every captured partition."""
        return asyncio.run(partition_offsets(self.stack.kafka_bootstrap))

    def verdict(self, **choices: Any) -> Verdict:
        """The judge's answer now."""
        return judge(
            self.stack.store_url, self.stack.warehouse_url, kafka=self.stack.kafka_bootstrap, foreign=self.foreign, **choices
        )

    def assert_right(self, **choices: Any) -> None:
        """Settle, then demand that the judge has nothing to say."""
        self.settle()
        verdict = self.verdict(**choices)
        assert verdict.holds, str(verdict)
        assert any(verdict.counts.values()), "the journal says nothing: there was nothing to judge"

    def outcomes(self) -> dict[str, int]:
        """Records per outcome so far, over all partitions."""
        sums = ", ".join(f"coalesce(sum({name}), 0)::bigint" for name in (*OUTCOMES, "redelivered"))
        [row] = self.warehouse(f"select {sums} from landing.consumed_records")
        return dict(zip((*OUTCOMES, "redelivered"), row, strict=True))

    def landed(self, ticket: str) -> dict[str, Any] | None:
        """The latest state of a ticket in the warehouse, as JSON."""
        rows = self.warehouse("select to_jsonb(t) from landing.ticket_signals as t where ticket_id = %s", [ticket])
        return rows[0][0] if rows else None

    def dead_letters(self, ticket: str) -> list[str]:
        """Reasons of the open dead letters of a ticket."""
        rows = self.warehouse(
            "select reason from landing.dead_letters where ticket_id = %s and status = 'open' order by dead_letter_id", [ticket]
        )
        return [reason for (reason,) in rows]

    def changes(self) -> int:
        """Changes journalled so far."""
        [(number,)] = self.store("select count(*) from judge.journal")
        return int(number)

    def wait_for_changes(self, number: int) -> None:
        """Return when the traffic has made this many changes more."""
        awaited = self.changes() + number
        wait_until(lambda: self.changes() >= awaited, what=f"{number} further changes of the store")

    def alerts(self, fingerprint: str) -> list[str]:
        """States of the alerts with this fingerprint (a LIKE pattern), in their order."""
        rows = self.warehouse("select state from ops.alert_outbox where fingerprint like %s order by alert_id", [fingerprint])
        return [state for (state,) in rows]

    def connector(self) -> register.ConnectorStatus | None:
        """What Connect says of the connector."""
        return register.status(self.stack.connect_url)

    def capture_anew(self) -> None:
        """The documented way back after a lost slot: drop what is left of it, forget the stored offsets, snapshot anew."""
        if self.connector():
            self._stop_connector()  # or it would make itself a new slot and go on behind the gap
        self.store("select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = 'cx_enrichment'")
        wait_until(self.connector, 120, "Connect being there")
        self._stop_connector()
        url = f"{self.stack.connect_url}/connectors/{register.CONNECTOR_NAME}"
        wait_until(lambda: httpx.delete(f"{url}/offsets", timeout=30).is_success, what="the offsets being forgotten")
        httpx.put(f"{url}/resume", timeout=30).raise_for_status()
        register.wait_until_running(self.stack.connect_url)
        self.stack.wait_until_up("connect")

    def _stop_connector(self) -> None:
        httpx.put(f"{self.stack.connect_url}/connectors/{register.CONNECTOR_NAME}/stop", timeout=30).raise_for_status()
        wait_until(lambda: (status := self.connector()) and status.connector == "STOPPED", what="the connector being stopped")

    def release(self, part: str) -> None:
        """Let a held part start, whether or not it will come up."""
        (self.stack.run_directory / "control" / f"{part}.hold").unlink()

    def renew(self) -> None:
        """Empty store, topics and landing, and begin the journal anew. What a test left down starts, without its variables."""
        self.stack.start_what_is_held()
        self.stack.stop("worker")
        for table in ("ticket_signals", "tag_taxonomy", "accounts"):
            self.store(f"delete from enrichment.{table}")
        self.wait_until_captured()
        self.store("delete from enrichment.accounts")  # the mark itself; landing keeps no trace of it
        topics.empty(self.stack.kafka_bootstrap, *topics.CAPTURED)
        self.warehouse("truncate " + ", ".join(f"landing.{name}" for name in LANDING) + ", ops.alert_outbox, ops.backfills")
        self.warehouse("update landing.breaker set is_open = false")
        self.store("truncate judge.journal")
        self.foreign.clear()
        self.stack.start("worker")


def install_journal(store_url: str) -> None:
    """Begin the journal of a store."""
    with psycopg.connect(store_url) as connection:
        connection.execute(JOURNAL.read_text())


@contextmanager
def another_worker(line: Line, name: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """One more worker of the same group, killed at the end of the block."""
    program = PROJECT_DIRECTORY / ".venv" / "bin" / "cx"
    environment = {**line.stack.environment, "CX_WORKER_METRICS_PORT": "0"}
    with (line.stack.layout.logs / f"{name}.log").open("ab") as log:
        worker = subprocess.Popen([program, "worker", "--instance", name, *options], env=environment, stdout=log, stderr=log)
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()


def _execute(url: str, statement: str, parameters: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []
