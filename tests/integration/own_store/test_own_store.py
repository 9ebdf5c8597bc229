"""A store of somebody else's design, captured by a real connector with the rights of the printed SQL, lands in landing."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from connectors import register
from ops import own_store
from ops.settings import PROJECT_DIRECTORY
from ops.stack import postgres
from tests.conftest import wait_until
from tests.stack_fixture import RunningStack, running_stack, tmp_directory

EXAMPLE = PROJECT_DIRECTORY / "connectors/own_store/example.yml"
THEIRS = """
create schema support;
create schema crm;
create type support.mood as enum ('pos', 'neu', 'neg');
create table support.conversation_ai (
    conv_id bigint not null,
    origin varchar(40) not null,
    revision integer not null,
    analysed_at timestamptz not null default clock_timestamp(),
    customer varchar(40),
    mood support.mood,
    churn smallint,
    labels text[],
    extra jsonb,
    quote text,
    handle_seconds integer,
    requester_email text,
    primary key (conv_id)
);
create table crm.customers (id text primary key, title text, card_number text);
create table crm.secrets (word text);
insert into support.conversation_ai values
    (1, 'intercom', 1, default, 'acme', 'neg', 3, '{refund}', '{"a": 12.50}', 'I want my money back', 90, 'kim@example.com'),
    (2, 'intercom', 1, default, 'acme', 'pos', 0, '{}', null, null, 10, 'lee@example.com');
insert into crm.customers values ('acme', 'Acme Ltd', '4111');
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[RunningStack]:
    """A stack without publisher and notifier."""
    with tmp_directory() as directory, running_stack(directory, without=("publisher", "notifier")) as running:
        yield running


@pytest.fixture(scope="module")
def theirs(stack: RunningStack) -> str:
    """Their database on the same server, prepared by nothing but the SQL that `cx prepare --print-sql` prints."""
    postgres.ensure_databases(stack.layout.server, ["theirs"])
    url = stack.layout.server.url("theirs")
    password = stack.layout.capture_password
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(THEIRS)
        for _ in range(2):
            connection.execute(printed_sql(stack).replace(":'cdc_password'", f"'{password}'").encode())
    return url


@pytest.fixture(scope="module")
def captured(stack: RunningStack, theirs: str) -> str:
    """Their store instead of ours behind Connect and the worker."""
    configuration = own_store.connector(own_store.read(EXAMPLE))
    stack.stop("worker")
    httpx.delete(f"{stack.connect_url}/connectors/{register.CONNECTOR_NAME}").raise_for_status()
    register.register(stack.connect_url, {**configuration, "database.dbname": "theirs", "slot.name": "theirs"}, "theirs")
    register.wait_until_running(stack.connect_url, "theirs")
    stack.start("worker", CX_STORE_URL=theirs, CX_STORE_MAPPING=str(EXAMPLE))
    return theirs


def printed_sql(stack: RunningStack) -> str:
    command = [sys.executable, "-c", "from ops.cli import main; main()", "prepare", "--print-sql"]
    done = subprocess.run(
        command, env={**stack.environment, "CX_STORE_MAPPING": str(EXAMPLE)}, capture_output=True, text=True, check=True
    )
    return done.stdout


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_rows_that_were_there_and_rows_that_come_land(stack: RunningStack, captured: str) -> None:
    """Snapshot, update and delete arrive as the canonical event, under a key that keeps a ticket in one partition."""
    warehouse = stack.warehouse_url
    wait_until(lambda: query(warehouse, "select count(*) from landing.ticket_signals") == [(2,)], what="the snapshot")
    query(captured, "update support.conversation_ai set revision = 2, mood = 'neu', handle_seconds = 95 where conv_id = 1")
    query(captured, "delete from support.conversation_ai where conv_id = 2")
    wait_until(
        lambda: query(warehouse, "select ticket_id, version from landing.ticket_signals") == [("1", 2)], what="the changes"
    )

    assert query(
        warehouse,
        """select source_system, sentiment, churn_risk, effort, raw_tags, custom_metrics, evidence_url, evidence_quote,
        idempotency_key, account_id from landing.ticket_signals""",
    ) == [
        ("intercom", "neutral", "high", "low", ["refund"], {"a": 12.5, "handle_seconds": 95}, "https://desk.example.com/c/1",
         "I want my money back", "intercom/1/2", "acme")
    ]  # fmt: skip
    assert query(warehouse, "select source_system, ticket_id from landing.deleted_tickets") == [("intercom", "2")]
    assert query(warehouse, "select account_id, name from landing.accounts") == [("acme", "Acme Ltd")]
    assert query(warehouse, "select count(*) from landing.dead_letters") == [(0,)]


def test_what_breaks_the_contract_is_a_dead_letter_that_can_be_mended(stack: RunningStack, captured: str) -> None:
    """The letter speaks the contract's words; an edit and a replay need no mapping."""
    query(captured, "insert into support.conversation_ai values (7, 'intercom', 1, default, 'acme', null, 1, '{}')")
    letters = "select reason, detail, ticket_id from landing.dead_letters"
    wait_until(lambda: query(stack.warehouse_url, letters), what="the dead letter")

    assert query(stack.warehouse_url, letters) == [("missing_value", "sentiment = None", "7")]
    words = ["dead-letters", "replay", "--ticket", "intercom:7", "--set", "sentiment=neutral"]
    command = [sys.executable, "-c", "from ops.cli import main; main()", *words]
    done = subprocess.run(command, env=stack.environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "1: applied\n"), done.stderr


def test_an_incremental_snapshot_reads_with_the_granted_columns_only(stack: RunningStack, captured: str) -> None:
    """A signal row makes Debezium read the table again; column rights are enough."""
    before = query(stack.warehouse_url, "select sum(duplicate) from landing.consumed_records")[0][0]
    query(
        captured,
        """insert into enrichment.cdc_signal values ('again', 'execute-snapshot',
        '{"type": "incremental", "data-collections": ["support.conversation_ai"]}')""",
    )
    again = "select sum(duplicate) from landing.consumed_records"
    wait_until(lambda: query(stack.warehouse_url, again)[0][0] > before, what="the reads that are duplicates")


def test_the_capturing_role_may_read_the_mapped_columns_and_nothing_else(stack: RunningStack, captured: str) -> None:
    """Other columns and tables are denied to it, and never reach Kafka."""
    capture = stack.layout.server.url("theirs", "cx_capture", stack.layout.capture_password)

    assert query(capture, "select count(conv_id) from support.conversation_ai") == [(2,)]
    for statement in (
        "select requester_email from support.conversation_ai",
        "select card_number from crm.customers",
        "select * from crm.secrets",
        "update support.conversation_ai set mood = 'pos'",
        "delete from crm.customers",
        "create table support.mine (x int)",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            query(capture, statement)
    landed = query(stack.warehouse_url, "select t::text from landing.ticket_signal_versions as t")
    assert "example.com/c/" in str(landed)
    assert "kim@example.com" not in str(landed)
