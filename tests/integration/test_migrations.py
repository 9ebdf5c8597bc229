"""Both databases are made by migrations alone."""

import psycopg

from ops import migrate


def test_the_newest_revision_can_be_applied_again(warehouse_url: str, store_url: str) -> None:
    """Upgrading an up-to-date database changes nothing and fails nothing."""
    migrate.upgrade(warehouse_url, migrate.WAREHOUSE_MIGRATIONS)
    migrate.upgrade(store_url, migrate.STORE_MIGRATIONS)

    with psycopg.connect(store_url) as store:
        tables = store.execute("select tablename from pg_publication_tables where pubname = 'cx_enrichment'").fetchall()
    assert len(tables) == 5
