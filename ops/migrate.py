"""Bring a database's schema to the newest revision with Alembic: the store's tables, or the warehouse's."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, pool

from ops.settings import PROJECT_DIRECTORY

STORE_MIGRATIONS = PROJECT_DIRECTORY / "connectors" / "store" / "migrations"
WAREHOUSE_MIGRATIONS = PROJECT_DIRECTORY / "ops" / "migrations"


def upgrade(url: str, migrations: Path, revision: str = "head") -> None:
    """Apply the missing revisions, all of them in one transaction.

    Args:
        url: postgresql:// address of the database, as its owner.
        migrations: STORE_MIGRATIONS or WAREHOUSE_MIGRATIONS.
        revision: an Alembic revision; the newest by default.
    """
    engine = create_engine(sqlalchemy_url(url), poolclass=pool.NullPool)
    config = Config()
    config.set_main_option("script_location", str(migrations))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def sqlalchemy_url(url: str) -> str:
    """Name psycopg as the driver of a plain postgresql:// address."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)
