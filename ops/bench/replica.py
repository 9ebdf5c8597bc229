"""The physical floor: PostgreSQL's own logical replication of the same tables into another database of the same server."""

from typing import Any

import psycopg

from ops import migrate
from ops.bench.stand import Stand
from ops.stack import postgres

DATABASE = "replica"
SLOT = "bench_replica"
# An enabled ALWAYS trigger fires in the apply worker: the moment at which a row is applied, microseconds before its commit.
STAMP = """
alter table enrichment.ticket_signals add column applied_at timestamptz;
create function stamp() returns trigger language plpgsql as $$ begin new.applied_at := clock_timestamp(); return new; end $$;
create trigger stamp before insert or update on enrichment.ticket_signals for each row execute function stamp();
alter table enrichment.ticket_signals enable always trigger stamp;
"""


def subscribe(stand: Stand, *, copy_data: bool, stamped: bool = True) -> None:
    """Replicate the store's tables from now on, what they hold already included when asked for."""
    postgres.ensure_databases(stand.stack.server, [DATABASE])
    migrate.upgrade(stand.stack.server.url(DATABASE), migrate.STORE_MIGRATIONS)
    with stand.store() as store, connect(stand) as replica:
        if stamped:
            replica.execute(STAMP)
        # On one server the slot has to be made beforehand: CREATE SUBSCRIPTION would wait for itself.
        store.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", [SLOT])
        replica.execute(
            f"create subscription bench connection '{stand.store_url}' publication cx_enrichment "
            f"with (create_slot = false, slot_name = '{SLOT}', copy_data = {str(copy_data).lower()})".encode()
        )


def unsubscribe(stand: Stand) -> None:
    """End the replication; its slot goes with it."""
    with connect(stand) as replica:
        replica.execute("drop subscription bench")


def connect(stand: Stand) -> psycopg.Connection[Any]:
    return psycopg.connect(stand.stack.server.url(DATABASE), autocommit=True)


def copied(connection: psycopg.Connection[Any]) -> bool:
    """Whether the initial copy of every table is done."""
    row = connection.execute("select bool_and(srsubstate in ('s', 'r')) from pg_subscription_rel").fetchone()
    return bool(row and row[0])
