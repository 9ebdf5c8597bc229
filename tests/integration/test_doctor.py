"""`cx doctor` against real servers, with things broken one by one: each is found, and nothing else is."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from ops import migrate
from ops.doctor import database_facts, store, warehouse
from ops.doctor.check import Check
from ops.stack import roles
from stream.worker import read_policy
from tests.conftest import wait_until
from tests.stack_fixture import RunningStack

SLOT = "select pg_create_logical_replication_slot('cx_enrichment', 'pgoutput')"


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]


@pytest.fixture
def prepared_store(store_url: str) -> Iterator[str]:
    """A store as `cx prepare` leaves it, with a slot and a heartbeat as if the connector had just run."""
    roles.ensure_capture(store_url, "capture")
    execute(store_url, SLOT)
    execute(store_url, "insert into enrichment.cdc_heartbeat values (1, clock_timestamp())")
    yield store_url
    execute(store_url, "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = 'cx_enrichment'")


def store_faults(url: str) -> dict[str, Check]:
    """Lines that are not good, by name; the slot nobody reads apart, for no connector runs here."""
    with psycopg.connect(url, autocommit=True) as connection:
        facts = database_facts.store_facts(connection, read_policy())
    newest = database_facts.newest_revision(migrate.STORE_MIGRATIONS)
    found = {check.name: check for check in store.checks(facts, newest) if not check.ok}
    found.pop("store: slot cx_enrichment", None)
    return found


def warehouse_faults(url: str) -> dict[str, Check]:
    with psycopg.connect(url, autocommit=True) as connection:
        facts = database_facts.warehouse_facts(connection)
    newest = database_facts.newest_revision(migrate.WAREHOUSE_MIGRATIONS)
    return {check.name: check for check in warehouse.checks(facts, newest) if not check.ok}


def test_a_prepared_store_has_no_fault(prepared_store: str) -> None:
    """What `cx prepare` makes is what the doctor wants."""
    assert store_faults(prepared_store) == {}


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        ("alter table enrichment.accounts replica identity default", "store: replica identity of enrichment.accounts"),
        ("alter publication cx_enrichment drop table enrichment.cdc_signal", "store: publication cx_enrichment"),
        ("alter publication cx_enrichment add table public.cx_schema_version", "store: publication cx_enrichment"),
        ("drop publication cx_enrichment", "store: publication cx_enrichment"),
        ("revoke select on enrichment.accounts from cx_capture", "store: role cx_capture"),
        ("revoke insert on enrichment.cdc_signal from cx_capture", "store: role cx_capture"),
        ("revoke usage on schema enrichment from cx_capture", "store: role cx_capture"),
        ("grant delete on enrichment.ticket_signals to cx_capture", "store: role cx_capture"),
        ("alter table enrichment.accounts rename column plan to tier", "store: columns of enrichment.accounts"),
        ("alter table enrichment.ticket_signals alter column version type text", "store: columns of enrichment.ticket_signals"),
        ("update enrichment.cdc_heartbeat set beat_at = now() - interval '2 minutes'", "store: heartbeat"),
        ("update cx_schema_version set version_num = '0000'", "store: schema revision"),
    ],
)
def test_each_fault_of_a_real_store_is_found_alone(prepared_store: str, broken: str, line: str) -> None:
    """One statement breaks one thing, and one line says so."""
    execute(prepared_store, broken)
    assert list(store_faults(prepared_store)) == [line]


def test_an_empty_database_is_told_what_it_lacks(server: Any, store_url: str) -> None:
    """Before anything was prepared the doctor answers too, line by line."""
    execute(store_url, "drop schema enrichment cascade; drop publication cx_enrichment; drop table cx_schema_version")
    found = store_faults(store_url)
    assert found["store: columns of enrichment.ticket_signals"].found == "no such table"
    assert found["store: publication cx_enrichment"].found == "not there"
    assert found["store: schema revision"].remedy == "cx prepare"


def test_a_prepared_warehouse_has_no_fault(warehouse_url: str) -> None:
    """What `cx prepare` makes is what the doctor wants."""
    roles.ensure_reader(warehouse_url, "reader")
    assert warehouse_faults(warehouse_url) == {}


@pytest.mark.parametrize(
    "broken",
    [
        "grant usage on schema landing to bi_reader",
        "revoke usage on schema marts from bi_reader",
        "grant delete on marts.publications to bi_reader",
    ],
)
def test_each_fault_of_the_readers_rights_is_found(warehouse_url: str, broken: str) -> None:
    """bi_reader reads the marts and nothing else."""
    roles.ensure_reader(warehouse_url, "reader")
    execute(warehouse_url, broken)
    assert list(warehouse_faults(warehouse_url)) == ["warehouse: role bi_reader"]


def test_the_remedies_in_sql_mend_what_they_are_about(prepared_store: str) -> None:
    """The command that the line shows is executed as it stands, and the line is good afterwards."""
    for broken in (
        "alter table enrichment.accounts replica identity default",
        "alter publication cx_enrichment drop table enrichment.cdc_signal",
        "drop publication cx_enrichment",
        "grant delete on enrichment.ticket_signals to cx_capture",
    ):
        execute(prepared_store, broken)
        [check] = store_faults(prepared_store).values()
        execute(prepared_store, check.remedy)
        assert store_faults(prepared_store) == {}


def examined(stack: RunningStack, **environment: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code and lines that are not good, of the command itself."""
    command = [sys.executable, "-c", "from ops.cli import main; main()", "doctor", "--json"]
    done = subprocess.run(command, env={**stack.environment, **environment}, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, {one["name"]: one for one in json.loads(done.stdout)["checks"] if not one["ok"]}


def test_a_running_stack_is_well(stack: RunningStack) -> None:
    """Everything that `cx up` starts is as the doctor wants it; exit code 0."""
    assert examined(stack) == (0, {})


def test_a_paused_connector_is_found_and_resumed_by_the_remedy(stack: RunningStack) -> None:
    """The line says PAUSED, and the request it shows lets the connector go on."""
    connector = f"{stack.connect_url}/connectors/enrichment"
    httpx.put(f"{connector}/pause").raise_for_status()
    try:
        wait_until(lambda: httpx.get(f"{connector}/status").json()["connector"]["state"] == "PAUSED", what="the pause")
        code, found = examined(stack)
        assert code == 1
        assert "resume" in found["connect: connector"]["remedy"]
    finally:
        httpx.put(f"{connector}/resume").raise_for_status()
        wait_until(lambda: examined(stack)[0] == 0, what="the stack being well again")


def test_parts_that_do_not_answer_are_lines_of_their_own(stack: RunningStack) -> None:
    """Every part is away: four lines, no stack trace, exit code 1."""
    away = {
        "CX_STORE_URL": "postgresql://cx:x@127.0.0.1:1/store",
        "CX_WAREHOUSE_URL": "postgresql://cx:x@127.0.0.1:1/warehouse",
        "CX_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "CX_CONNECT_URL": "http://127.0.0.1:1",
    }
    code, found = examined(stack, **away)
    assert code == 1
    assert set(found) == {f"{part}: reachable" for part in ("store", "kafka", "connect", "warehouse")}


def test_without_addresses_the_doctor_cannot_run(tmp_path: Any) -> None:
    """Exit code 2 and the names of the variables."""
    command = [sys.executable, "-c", "from ops.cli import main; main()", "doctor"]
    environment = {"CX_RUN_DIRECTORY": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "CX_STORE_URL" in done.stderr
