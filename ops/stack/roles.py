"""One role per job, each with the least it needs: what may be done is said here, in SQL, and tested by trying what may not.

cx_capture    replicates the store and reads the captured tables          (Debezium)
cx_worker     writes schema landing, adds to ops.alert_outbox             (cx worker)
cx_builder    owns staging, intermediate and build, reads landing         (dbt)
cx_publisher  owns marts, reads the candidates, keeps the gate's memory   (cx publish)
cx_notifier   keeps incidents and letters                                 (cx alerts serve; it measures the objectives)
cx_outbound   reads what leaves, keeps what was told to whom              (cx outbound)
bi_reader     reads marts                                                 (dashboards)

The owner of the databases migrates, reconciles and replays: `cx up`, `cx prepare` and the commands of on-call.
"""

from collections.abc import Mapping

import psycopg
from psycopg import sql

CAPTURE_GRANTS = """
grant usage on schema enrichment to cx_capture;
grant select on all tables in schema enrichment to cx_capture;
grant insert, update on enrichment.cdc_heartbeat to cx_capture;
grant insert, delete on enrichment.cdc_signal to cx_capture;
"""

WORKER_GRANTS = """
grant usage on schema landing, ops to cx_worker;
grant select, insert, update, delete on all tables in schema landing to cx_worker;
grant insert on ops.alert_outbox to cx_worker;
"""

# dbt makes its schemas itself when an engineer drops them; a schema that is there is given to it.
BUILDER_GRANTS = """
grant usage on schema landing, ops, marts to cx_builder;
grant select on all tables in schema landing, marts to cx_builder;
grant select on ops.held_tickets to cx_builder;
alter default privileges for role cx_publisher in schema marts grant select on tables to cx_builder;
create schema if not exists staging;
create schema if not exists intermediate;
create schema if not exists build;
do $$ begin
    execute format('grant create on database %I to cx_builder', current_database());
end $$;
"""

PUBLISHER_GRANTS = """
grant cx_builder to cx_publisher;
grant usage on schema ops to cx_publisher;
grant select, insert, update, delete on
    ops.held_tickets, ops.publish_cycles, ops.gate_checks, ops.landed_hours, ops.held_hours
    to cx_publisher;
grant insert on ops.alert_outbox to cx_publisher;
grant usage on schema marts to bi_reader;
alter default privileges for role cx_publisher in schema marts grant select on tables to bi_reader;
"""

# The notifier measures the objectives too: times and counts of landing, never what a ticket says.
NOTIFIER_GRANTS = """
grant usage on schema ops, landing, marts to cx_notifier;
grant select on landing.consumed_records, marts.publications to cx_notifier;
grant select (source_system, ticket_id, version, landed_at, landed_xid, store_committed_at, captured_at)
    on landing.ticket_signals, landing.ticket_signal_versions to cx_notifier;
grant select on landing.restated_tickets to cx_notifier;
grant select (source_system, ticket_id, deleted_at, landed_at, landed_xid) on landing.deleted_tickets to cx_notifier;
grant select (dead_letter_id, table_name, reason, status, times_seen, first_seen_at, last_seen_at, status_at)
    on landing.dead_letters to cx_notifier;
grant select on all tables in schema ops to cx_notifier;
grant insert, update, delete on
    ops.alert_outbox, ops.incidents, ops.alert_deliveries, ops.alert_channels, ops.alert_flags,
    ops.objective_samples, ops.objective_slices, ops.consumed_samples, ops.spikes
    to cx_notifier;
"""

# Exactly what the projections name (connectors/outbound/contract): the quote cannot be read, so it cannot leave.
OUTBOUND_GRANTS = """
grant usage on schema landing, ops to cx_outbound;
grant select (
    event_id, occurred_at, source_system, ticket_id, account_id, sentiment, sentiment_score, churn_risk, effort, raw_tags,
    canonical_tag, driver, custom_metrics, evidence_url, idempotency_key, version, kafka_offset, landed_at, landed_xid
) on landing.ticket_signals, landing.ticket_signal_versions to cx_outbound;
grant select (source_system, ticket_id, deleted_position, landed_at, landed_xid) on landing.deleted_tickets to cx_outbound;
grant select on landing.restated_tickets to cx_outbound;
grant select, insert, update on ops.outbound_relay, ops.crm_tickets, ops.crm_accounts to cx_outbound;
grant select, insert, update, delete on
    ops.webhook_subscriptions, ops.webhook_positions, ops.webhook_sequences, ops.webhook_tickets, ops.webhook_deliveries
    to cx_outbound;
grant insert on ops.alert_outbox to cx_outbound;
"""

# A warehouse that the owner built and published before has its tables handed over.
OWNERS = {"staging": "cx_builder", "intermediate": "cx_builder", "build": "cx_builder", "marts": "cx_publisher"}
TABLES_OF_OTHERS = """
select format('alter table %%s owner to %%I', relation.oid::regclass, %(owner)s::text)
from pg_class as relation
where
    relation.relnamespace = %(schema)s::regnamespace
    and (relation.relkind in ('r', 'p') or (relation.relkind = 'v' and %(owner)s = 'cx_builder'))
    and relation.relowner <> %(owner)s::regrole
"""

WAREHOUSE_ROLES = ("cx_worker", "cx_builder", "cx_publisher", "cx_notifier", "cx_outbound")


def ensure_capture(store_url: str, password: str) -> None:
    """Give cx_capture its log-in and exactly the rights that Debezium needs. Running it again changes nothing."""
    with psycopg.connect(store_url) as connection:
        _ensure_login(connection, "cx_capture", password, "replication")
        connection.execute(CAPTURE_GRANTS)


def ensure_reader(warehouse_url: str, password: str) -> None:
    """Give bi_reader its log-in; what it may read was granted with the marts. Running it again changes nothing."""
    with psycopg.connect(warehouse_url) as connection:
        _ensure_login(connection, "bi_reader", password)


def ensure_workers(warehouse_url: str, passwords: Mapping[str, str]) -> None:
    """Give every role of the warehouse its log-in, its rights and its schemas. Running it again changes nothing.

    Args:
        warehouse_url: the warehouse, as its owner, every migration applied.
        passwords: one for each of WAREHOUSE_ROLES.
    """
    with psycopg.connect(warehouse_url) as connection:
        for role in WAREHOUSE_ROLES:
            _ensure_login(connection, role, passwords[role])
        connection.execute("grant cx_builder, cx_publisher to current_user")
        for grants in (WORKER_GRANTS, BUILDER_GRANTS, PUBLISHER_GRANTS, NOTIFIER_GRANTS, OUTBOUND_GRANTS):
            connection.execute(grants.encode())
        for schema, owner in OWNERS.items():
            _hand_over(connection, schema, owner)


def _ensure_login(connection: psycopg.Connection, role: str, password: str, *attributes: str) -> None:
    exists = connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone()
    statement = sql.SQL("{} role {} login {} password {}").format(
        sql.SQL("alter" if exists else "create"),
        sql.Identifier(role),
        sql.SQL(" ".join(attributes)),
        sql.Literal(_verifier(connection, role, password)),
    )
    connection.execute(statement)


def _verifier(connection: psycopg.Connection, role: str, password: str) -> str:
    """The password as the server stores it: a statement that it logs then holds nothing that opens anything."""
    return connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()


def _hand_over(connection: psycopg.Connection, schema: str, owner: str) -> None:
    connection.execute(sql.SQL("alter schema {} owner to {}").format(sql.Identifier(schema), sql.Identifier(owner)))
    for (statement,) in connection.execute(TABLES_OF_OTHERS, {"schema": schema, "owner": owner}).fetchall():
        connection.execute(statement)
