"""Both databases are made by migrations alone."""

import psycopg

from ops import migrate
from ops.stack import postgres

HELD_BEFORE = """
insert into landing.ticket_signal_versions (
    event_id, occurred_at, source_system, ticket_id, sentiment, churn_risk, effort, raw_tags, custom_metrics, evidence_url,
    idempotency_key, version, content_hash, source_positions, kafka_partition, kafka_offset
)
select
    gen_random_uuid(), now(), 'zendesk', 'T-1', 'neutral', 'low', 'high', '{}', '{}', 'https://evidence.example/T-1',
    'T-1/' || version, version, 'x', '{1}', 0, version
from generate_series(1, 2) as version;
insert into landing.ticket_signals select * from landing.ticket_signal_versions where version = 2;
create view stg_tickets as select * from landing.ticket_signals;
"""


def test_the_newest_revision_can_be_applied_again(warehouse_url: str, store_url: str) -> None:
    """Upgrading an up-to-date database changes nothing and fails nothing."""
    migrate.upgrade(warehouse_url, migrate.WAREHOUSE_MIGRATIONS)
    migrate.upgrade(store_url, migrate.STORE_MIGRATIONS)

    with psycopg.connect(store_url) as store:
        tables = store.execute("select tablename from pg_publication_tables where pubname = 'cx_enrichment'").fetchall()
    assert len(tables) == 5


def test_a_table_of_latest_tickets_becomes_a_view_of_the_history(server: postgres.Server) -> None:
    """A warehouse from before holds the same versions afterwards, and the same latest ones."""
    postgres.ensure_databases(server, ["warehouse_before"])
    url = server.url("warehouse_before")
    migrate.upgrade(url, migrate.WAREHOUSE_MIGRATIONS, "0012")
    with psycopg.connect(url, autocommit=True) as warehouse:
        warehouse.execute(HELD_BEFORE)
        migrate.upgrade(url, migrate.WAREHOUSE_MIGRATIONS)
        assert warehouse.execute("select version from landing.ticket_signal_versions order by 1").fetchall() == [(1,), (2,)]
        assert warehouse.execute("select ticket_id, version from landing.ticket_signals").fetchall() == [("T-1", 2)]
