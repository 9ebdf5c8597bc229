"""The roles that connect besides the owner: one that captures the store, one that reads the marts."""

import psycopg
from psycopg import sql

CAPTURE_GRANTS = """
grant usage on schema enrichment to cx_capture;
grant select on all tables in schema enrichment to cx_capture;
grant insert, update on enrichment.cdc_heartbeat to cx_capture;
grant insert, delete on enrichment.cdc_signal to cx_capture;
"""


def ensure_capture(store_url: str, password: str) -> None:
    """Give cx_capture its log-in and exactly the rights that Debezium needs. Running it again changes nothing."""
    with psycopg.connect(store_url) as connection:
        exists = connection.execute("select 1 from pg_roles where rolname = 'cx_capture'").fetchone()
        verb = sql.SQL("alter" if exists else "create")
        connection.execute(sql.SQL("{} role cx_capture login replication password {}").format(verb, sql.Literal(password)))
        connection.execute(CAPTURE_GRANTS)


def ensure_reader(warehouse_url: str, password: str) -> None:
    """Give bi_reader its log-in; what it may read was granted with the marts. Running it again changes nothing."""
    with psycopg.connect(warehouse_url) as connection:
        connection.execute(sql.SQL("alter role bi_reader login password {}").format(sql.Literal(password)))
