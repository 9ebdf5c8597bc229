"""A store of somebody else's design, captured by a real connector with the rights of the printed SQL, lands in landing."""

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from ops import own_store
from ops.settings import PROJECT_DIRECTORY
from stream.edges.store import store_differences
from tests.conftest import wait_until
from tests.secured_cluster import CX, Cluster, secured_cluster
from tests.stack_fixture import tmp_directory

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
def cluster() -> Iterator[Cluster]:
    """Their database, prepared by `cx prepare` with the mapping, and a worker; TLS and log-ins everywhere."""
    with tmp_directory() as directory, secured_cluster(directory, store="theirs") as running:
        query(running.url("theirs"), THEIRS)
        for _ in range(2):
            prepared = running.cx("prepare", CX_STORE_MAPPING=str(EXAMPLE))
            assert prepared.returncode == 0, prepared.stderr
        with running.process("worker", [*CX, "worker"], {**running.environment, "CX_STORE_MAPPING": str(EXAMPLE)}):
            yield running


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_rows_that_were_there_and_rows_that_come_land(cluster: Cluster) -> None:
    """Snapshot, update and delete arrive as the canonical event, under a key that keeps a ticket in one partition."""
    warehouse = cluster.url("warehouse")
    wait_until(lambda: query(warehouse, "select count(*) from landing.ticket_signals") == [(2,)], what="the snapshot")
    query(
        cluster.url("theirs"),
        "update support.conversation_ai set revision = 2, mood = 'neu', handle_seconds = 95 where conv_id = 1",
    )
    query(cluster.url("theirs"), "delete from support.conversation_ai where conv_id = 2")
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


def test_what_breaks_the_contract_is_a_dead_letter_that_can_be_mended(cluster: Cluster) -> None:
    """The letter speaks the contract's words; an edit and a replay need no mapping."""
    query(cluster.url("theirs"), "insert into support.conversation_ai values (7, 'intercom', 1, default, 'acme', null, 1, '{}')")
    letters = "select reason, detail, ticket_id from landing.dead_letters"
    wait_until(lambda: query(cluster.url("warehouse"), letters), what="the dead letter")

    assert query(cluster.url("warehouse"), letters) == [("missing_value", "sentiment = None", "7")]
    words = ["dead-letters", "replay", "--ticket", "intercom:7", "--set", "sentiment=neutral"]
    done = cluster.cx(*words)
    assert (done.returncode, done.stdout) == (0, "1: applied\n"), done.stderr


def test_an_incremental_snapshot_reads_with_the_granted_columns_only(cluster: Cluster) -> None:
    """A signal row makes Debezium read the table again; column rights are enough."""
    before = query(cluster.url("warehouse"), "select sum(duplicate) from landing.consumed_records")[0][0]
    query(
        cluster.url("theirs"),
        """insert into enrichment.cdc_signal values ('again', 'execute-snapshot',
        '{"type": "incremental", "data-collections": ["support.conversation_ai"]}')""",
    )
    again = "select sum(duplicate) from landing.consumed_records"
    wait_until(lambda: query(cluster.url("warehouse"), again)[0][0] > before, what="the reads that are duplicates")


def test_the_capturing_role_may_read_the_mapped_columns_and_nothing_else(cluster: Cluster) -> None:
    """Other columns and tables are denied to it, and never reach Kafka."""
    capture = cluster.url("theirs", "cx_capture", cluster.stack.capture_password)

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
    landed = query(cluster.url("warehouse"), "select t::text from landing.ticket_signal_versions as t")
    assert "example.com/c/" in str(landed)
    assert "kim@example.com" not in str(landed)


def mapped(cluster: Cluster, *words: str) -> tuple[int, Any]:
    """Exit code and JSON answer of a command that knows the mapping."""
    done = cluster.cx(*words, "--json", CX_STORE_MAPPING=str(EXAMPLE))
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_the_doctor_finds_everything_good(cluster: Cluster) -> None:
    """Mapped columns, replica identities, publication and the least rights are as agreed, under the store's own names."""
    code, found = mapped(cluster, "doctor")

    assert [one for one in found["checks"] if not one["ok"]] == []
    assert {"store: mapped columns of support.conversation_ai", "store: replica identity of crm.customers"} <= {
        one["name"] for one in found["checks"]
    }
    assert code == 0


def test_the_doctor_sees_a_right_too_many_and_mends_it(cluster: Cluster) -> None:
    """A column beyond the mapping that the capture may read is named; the command shown takes the right back."""
    theirs = cluster.url("theirs")
    query(theirs, "grant select on support.conversation_ai to cx_capture")
    [line] = [one for one in mapped(cluster, "doctor")[1]["checks"] if not one["ok"]]
    query(theirs, line["remedy"])

    assert "read support.conversation_ai.requester_email" in line["found"]
    assert mapped(cluster, "doctor")[0] == 0


def test_a_column_that_left_the_store_is_seen_before_anything_is_read(cluster: Cluster) -> None:
    """The worker's look at the store names the field that the mapping can no longer fill."""
    theirs, mapping = cluster.url("theirs"), own_store.read(EXAMPLE)
    assert store_differences(theirs, mapping) == []
    query(theirs, "alter table support.conversation_ai rename column quote to words")
    try:
        assert [(one.table, one.column) for one in store_differences(theirs, mapping)] == [("ticket_signals", "evidence_quote")]
    finally:
        query(theirs, "alter table support.conversation_ai rename column words to quote")


def test_reconcile_names_and_repairs_what_was_changed_by_hand(cluster: Cluster) -> None:
    """Changed, removed and added rows of the warehouse are named with their columns, read again from the store, and equal."""
    warehouse = cluster.url("warehouse")
    query(
        cluster.url("theirs"),
        """insert into support.conversation_ai
        select n, 'intercom', 1, now(), 'acme', 'neu', 1, '{}', '{"a": 1.50}', 'it''s "so"', n, null
        from generate_series(20, 29) as n""",
    )
    wait_until(lambda: query(warehouse, "select count(*) >= 10 from landing.ticket_signals where ticket_id >= '20'") == [(True,)])
    code, found = mapped(cluster, "reconcile")
    assert code == 0, found
    for statement in (
        "update landing.ticket_signals set sentiment = 'negative', custom_metrics = '{}' where ticket_id = '21'",
        "delete from landing.ticket_signals where ticket_id = '22'",
        "update landing.accounts set name = 'Someone else' where account_id = 'acme'",
    ):
        query(warehouse, statement)
    code, found = mapped(cluster, "reconcile")
    assert code == 1
    assert differences(found) == {
        ("intercom", "21"): ["custom_metrics", "sentiment"], ("intercom", "22"): [], ("acme",): ["name"],
    }  # fmt: skip

    code, found = mapped(cluster, "reconcile", "--repair")
    assert code == 0, found
    assert query(warehouse, "select sentiment from landing.ticket_signals where ticket_id = '21'") == [("neutral",)]
    assert query(warehouse, "select name from landing.accounts") == [("Acme Ltd",)]


def differences(found: Any) -> dict[tuple[str, ...], list[str]]:
    """identity: differing columns, of a report."""
    rows = [row for table in found["tables"] for row in table["rows"] if row["kind"] in ("missing", "different", "extra")]
    return {tuple(row["identity"]): sorted(row["columns"]) for row in rows}


def test_a_backfill_reads_a_subset_by_the_stores_own_words(cluster: Cluster) -> None:
    """The condition is the store's SQL; as many rows as it takes are read and have landed, and change nothing."""
    code, found = mapped(cluster, "backfill", "--where", "origin = 'intercom' and conv_id between 23 and 25")

    assert code == 0
    assert [(one["table"], one["expected"], one["landed"]) for one in found["backfills"]] == [("ticket_signals", 3, 3)]
