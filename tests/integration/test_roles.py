"""One role per job: each does its job, and is refused everything that is not its job."""

import secrets
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import errors

from ops.stack import postgres, roles
from stream.core.batch import divide
from stream.core.decode import decode
from stream.edges.warehouse.landing import Warehouse
from stream.worker import read_policy
from tests.unit.stream.events import changed, deleted, record, signal

MAY_NOT = {
    "cx_worker": [
        "select * from marts.publications",
        "insert into marts.publications (to_snapshot, gate_result) values (pg_current_snapshot(), 'passed')",
        "select * from ops.alert_outbox",
        "update ops.alert_outbox set state = 'ok'",
        "delete from ops.dead_letter_actions",
        "insert into ops.dead_letter_actions (dead_letter_id, action, by, outcome) values (1, 'replay', 'x', 'x')",
        "select * from ops.held_tickets",
        "truncate landing.ticket_signal_versions",
        "drop table landing.ticket_signal_versions",
        "create table landing.mine (x int)",
        "create schema mine",
        "select * from pg_authid",
    ],
    "cx_builder": [
        "insert into landing.deleted_tickets (source_system, ticket_id, deleted_position) values ('a', 'b', 1)",
        "delete from landing.ticket_signal_versions",
        "update marts.publications set gate_result = 'passed'",
        "create table marts.mine (x int)",
        "drop table marts.publications",
        "insert into ops.alert_outbox (fingerprint, state, severity, owner, summary) values ('a', 'ok', 'info', 'a', 'a')",
        "select * from ops.publish_cycles",
    ],
    "cx_publisher": [
        "delete from landing.ticket_signals",
        "update landing.dead_letters set status = 'discarded'",
        "select * from ops.alert_outbox",
        "select * from ops.dead_letter_actions",
        "update ops.incidents set severity = 'info'",
        "drop table ops.held_tickets",
    ],
    "cx_notifier": [
        "select evidence_quote from landing.ticket_signals",
        "select payload from landing.dead_letters",
        "update marts.publications set gate_result = 'passed'",
        "delete from ops.dead_letter_actions",
        "update ops.held_tickets set reason = ''",
        "create table ops.mine (x int)",
    ],
    "cx_outbound": [
        "select evidence_quote from landing.ticket_signals",
        "select evidence_quote from landing.ticket_signal_versions",
        "select payload from landing.dead_letters",
        "select * from marts.publications",
        "delete from landing.deleted_tickets",
        "update landing.ticket_signals set driver = ''",
        "delete from ops.outbound_relay",
        "select * from ops.alert_outbox",
        "create table ops.mine (x int)",
    ],
    "bi_reader": [
        "select * from landing.ticket_signals",
        "select * from ops.alert_outbox",
        "select * from build.candidates",
        "insert into marts.publications (to_snapshot, gate_result) values (pg_current_snapshot(), 'passed')",
        "create table marts.mine (x int)",
        "select pg_read_file('/etc/passwd')",
    ],
}
As = Callable[[str], psycopg.Connection[Any]]


@pytest.fixture
def url_of(server: postgres.Server, warehouse_url: str) -> Callable[[str], str]:
    """The warehouse's address as any of the roles."""
    passwords = {role: secrets.token_hex(8) for role in (*roles.WAREHOUSE_ROLES, "bi_reader")}
    for _ in range(2):
        roles.ensure_workers(warehouse_url, passwords)
        roles.ensure_reader(warehouse_url, passwords["bi_reader"])
    database = warehouse_url.rpartition("/")[2]
    return lambda role: server.url(database, role, passwords[role])


@pytest.mark.parametrize(("role", "statement"), [(role, one) for role, statements in MAY_NOT.items() for one in statements])
def test_a_role_may_not(role: str, statement: str, url_of: Callable[[str], str]) -> None:
    """Whatever is not its job is refused by the database itself."""
    with psycopg.connect(url_of("cx_builder"), autocommit=True) as builder:
        builder.execute("create table build.candidates (x int)")
    with psycopg.connect(url_of(role), autocommit=True) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement.encode())


@pytest.mark.parametrize("role", sorted({*MAY_NOT}))
def test_no_role_is_more_than_a_log_in(role: str, url_of: Callable[[str], str]) -> None:
    """None is a superuser, replicates, makes roles or databases, or passes row security."""
    with psycopg.connect(url_of(role)) as connection:
        rights = "rolsuper, rolreplication, rolcreaterole, rolcreatedb, rolbypassrls"
        assert (
            connection.execute(f"select {rights} from pg_roles where rolname = current_user".encode()).fetchone() == (False,) * 5
        )


def test_the_worker_lands_with_its_rights(url_of: Callable[[str], str], warehouse_url: str) -> None:
    """Versions, conflicts, deletes, letters, drifts and alerts: everything a worker writes."""
    edge = Warehouse(url_of("cx_worker"), read_policy())
    records = [
        changed(signal(), 10), changed(signal(driver="Other"), 20), changed(signal("t2", channel="chat"), 25),
        record(b"{"), deleted("t1", 30), changed(signal("t3", sentiment="furious"), 40),
    ]  # fmt: skip
    numbered = [one._replace(offset=number) for number, one in enumerate(records)]
    outcomes = edge.land(divide(decode(one, read_policy()) for one in numbered)).outcomes
    edge.mark_published([letter.dead_letter_id for letter in edge.unpublished_letters(100)])
    edge.close()

    assert sorted(outcomes.values()) == ["applied", "deleted", "rejected", "rejected", "stale", "stale"]
    with psycopg.connect(warehouse_url) as connection:
        assert connection.execute("select count(*) from ops.alert_outbox").fetchone() != (0,)


def test_what_the_publisher_makes_bi_reads(url_of: Callable[[str], str]) -> None:
    """Candidates are the builder's, marts the publisher's, and the reader sees them without a further grant."""
    with psycopg.connect(url_of("cx_builder"), autocommit=True) as builder:
        builder.execute("create table build.fct (x int primary key); insert into build.fct values (1)")
    with psycopg.connect(url_of("cx_publisher"), autocommit=True) as publisher:
        publisher.execute(
            "create table marts.fct (like build.fct including indexes); insert into marts.fct select * from build.fct"
        )
    with psycopg.connect(url_of("bi_reader")) as reader:
        assert reader.execute("select * from marts.fct").fetchall() == [(1,)]


def test_what_the_owner_had_made_is_handed_over(
    url_of: Callable[[str], str], warehouse_url: str, server: postgres.Server
) -> None:
    """A warehouse from before the roles goes on: the owner's tables change hands, the pipeline's views stay."""
    with psycopg.connect(warehouse_url, autocommit=True) as owner:
        owner.execute(
            "create table build.old (x int); create table marts.old (x int); create view build.seen as select * from build.old"
        )
        roles.ensure_workers(warehouse_url, dict.fromkeys(roles.WAREHOUSE_ROLES, "changed"))
        owners = owner.execute(
            "select schemaname || '.' || tablename, tableowner from pg_tables where tablename = 'old' order by 1"
        )
        assert owners.fetchall() == [("build.old", "cx_builder"), ("marts.old", "cx_publisher")]
        assert owner.execute("select viewowner from pg_views where viewname = 'seen'").fetchone() == ("cx_builder",)
        assert owner.execute("select distinct viewowner from pg_views where schemaname = 'marts'").fetchall() in ([], [("cx",)])
