"""A small warehouse for publish tests: landing rows, two marts built by plain SQL, and a gate that does as told."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import psycopg
import pytest

from expectations.gate.gate import Files, Review
from expectations.gate.quarantine import Hold
from expectations.gate.suites import Check
from expectations.gate.verdict import CheckResult
from expectations.policy import Policy, Quarantine, Timing
from expectations.publish import lock
from expectations.publish.cycle import Cycle, Outcome
from expectations.publish.resident import Publisher
from expectations.publish.shape import Mart
from expectations.publish.transform import Project
from expectations.window import Window
from ops.settings import PROJECT_DIRECTORY
from tests.conftest import wait_until

SIGNALS = Mart("fct_ticket_signals", ("source_system", "ticket_id"), "touched_tickets")
DRIVERS = Mart("fct_drivers", ("driver",))

BUILD = """
create schema if not exists build;
create table if not exists build.cycle_window (from_snapshot pg_snapshot, to_snapshot pg_snapshot);
insert into build.cycle_window select null, null where not exists (select from build.cycle_window);
update build.cycle_window set to_snapshot = pg_current_snapshot();
create table if not exists build.touched_tickets (source_system text, ticket_id text);
create table if not exists build.fct_ticket_signals (
    source_system text not null, ticket_id text not null, driver text, version bigint, evidence_url text
);
create table if not exists build.fct_drivers (driver text not null, tickets bigint);
comment on table build.fct_ticket_signals is 'One row per ticket.';
comment on column build.fct_ticket_signals.driver is 'Why the customer wrote.';
delete from build.touched_tickets;
insert into build.touched_tickets
select landed.source_system, landed.ticket_id
from landing.ticket_signals as landed, build.cycle_window
where from_snapshot is null or not pg_visible_in_snapshot(landed.landed_xid, from_snapshot)
union
select landed.source_system, landed.ticket_id
from landing.deleted_tickets as landed, build.cycle_window
where from_snapshot is null or not pg_visible_in_snapshot(landed.landed_xid, from_snapshot)
union
select source_system, ticket_id from ops.held_tickets;
delete from build.fct_ticket_signals;
insert into build.fct_ticket_signals
select source_system, ticket_id, driver, version, evidence_url
from landing.ticket_signals
where (source_system, ticket_id) not in (select source_system, ticket_id from ops.held_tickets where released_at is null);
delete from build.fct_drivers;
insert into build.fct_drivers select coalesce(driver, 'unmapped'), count(*) from build.fct_ticket_signals group by 1;
"""

LAND = """
insert into landing.ticket_signal_versions (
    event_id, occurred_at, source_system, ticket_id, account_id, sentiment, churn_risk, effort, raw_tags, canonical_tag, driver,
    custom_metrics, evidence_url, evidence_quote, idempotency_key, version, content_hash, source_positions,
    kafka_partition, kafka_offset, store_committed_at
)
select
    gen_random_uuid(), now(), %(source_system)s, 'T-' || number, %(account_id)s, 'negative', 'low', 'high', array['billing'],
    'billing', %(driver)s, '{}', %(evidence)s || number, 'too expensive',
    'T-' || number || '-' || %(version)s, %(version)s, 'x', '{1}',
    0, number, now()
from generate_series(%(first)s::int, %(last)s::int) as number
on conflict (idempotency_key) do update set
    driver = excluded.driver, evidence_url = excluded.evidence_url,
    landed_at = clock_timestamp(), landed_xid = pg_current_xact_id()
"""
USUAL = {"source_system": "zendesk", "account_id": "A-1", "evidence": "https://evidence.example/T-"}


class SqlBuilder:
    """Builds the candidates with one script instead of dbt; `tweak` runs after it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.tweak = ""
        self.published: list[Mart] = [SIGNALS, DRIVERS]

    def marts(self) -> list[Mart]:
        return self.published

    def run(self) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(BUILD + self.tweak)


@dataclass
class ScriptedGate:
    """A gate whose failures a test sets: `failing` by suite, and what it holds."""

    failing: dict[str, CheckResult] = field(default_factory=dict)
    holding: list[Hold] = field(default_factory=list)  # candidates to hold, one per review
    timing: Timing = field(default_factory=Timing)
    documented: list[str] = field(default_factory=list)  # a suite each time that its Data Docs were built

    def policy(self) -> Policy:
        return Policy({}, Quarantine(), self.timing)

    def review(
        self, connection: psycopg.Connection, suite_name: str, window: Window, marts: Sequence[Mart], now: datetime
    ) -> Review:
        holds = (self.holding.pop(0),) if suite_name == "candidates" and self.holding else ()
        return Review((self.failing.get(suite_name, a_result(suite_name)),), holds)

    def document(self, failed: Sequence[str], run_name: str) -> dict[str, str]:
        self.documented += failed
        return {name: f"file:///docs/{name}" for name in failed}


def a_result(suite: str, outcome: str = "passed", severity: str = "critical") -> CheckResult:
    """A result of a check called `is_right`."""
    check = Check(
        suite=suite, name="is_right", type="", kwargs={}, severity="critical", owner="team", meaning="it is not right",
        remedy="make it right", runbook="make-it-right",
    )  # fmt: skip
    return CheckResult(replace(check, severity=severity), outcome, int(outcome != "passed"))  # type: ignore[arg-type]


class Warehouse:
    """A warehouse with a publisher over it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.builder, self.gate = SqlBuilder(url), ScriptedGate()

    def land(self, first: int, last: int, driver: str = "pricing", version: int = 1, **others: str) -> None:
        """Land tickets T-<first> to T-<last>; `others`: source_system, account_id, evidence (before the number)."""
        tickets = {"first": first, "last": last, "driver": driver, "version": version}
        self.execute(LAND, {**tickets, **USUAL, **others})

    def execute(self, query: str, values: object = None) -> list[tuple]:
        with psycopg.connect(self.url) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def cycle(self, announce: Callable[[str], None] = lambda stage: None) -> Outcome:
        connection = self.connect()
        try:
            return Cycle(connection, self.builder, self.gate, announce).run()
        finally:
            connection.close()

    def connect(self) -> psycopg.Connection:
        """The publisher's connection; a killed predecessor's session may need a moment to end."""
        connections: list[psycopg.Connection] = []

        def attempt() -> bool:
            try:
                connections.append(lock.connect(self.url))
            except lock.Occupied:
                return False
            return True

        wait_until(attempt, 10, "the publisher's lock being free")
        return connections[0]

    def marts(self) -> dict[str, list[tuple]]:
        """Every row of both marts and where it lies, so that even an unchanged rewrite shows."""
        return {
            name: self.execute(f"select ctid::text, xmin::text, * from marts.{name} order by 1")
            for name in ("fct_ticket_signals", "fct_drivers")
        }

    def drivers(self) -> dict[str, int]:
        return dict(self.execute("select driver, tickets from marts.fct_drivers"))


class RealWarehouse(Warehouse):
    """A warehouse whose candidates come from dbt and whose gate is Great Expectations."""

    def __init__(self, url: str, scratch: Path) -> None:
        super().__init__(url)
        self.publisher = Publisher(
            Project(PROJECT_DIRECTORY / "dbt_project", scratch / "dbt", url), Files(docs=scratch / "data_docs")
        )

    def publish(self) -> Outcome:
        connection = self.connect()
        try:
            return self.publisher.cycle(connection).run()
        finally:
            connection.close()


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[Warehouse]:
    """A fresh warehouse with nothing landed."""
    return Warehouse(warehouse_url)


@pytest.fixture
def real(warehouse_url: str, tmp_path: Path) -> Iterator[RealWarehouse]:
    """A fresh warehouse with nothing landed, the real dbt project and the real suites."""
    warehouse = RealWarehouse(warehouse_url, tmp_path)
    yield warehouse
    warehouse.publisher.close()
