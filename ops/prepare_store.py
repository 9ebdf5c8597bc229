"""Make a store ready to be captured, one like ours or one with names of its own: its roles, and the connector's configuration."""

import psycopg
from psycopg import sql as literal

from connectors import register
from connectors.own_store.capture import CapturedTable, configuration
from connectors.own_store.grants import statements
from ops import migrate, own_store
from ops.settings import Settings, SettingsError
from ops.stack import roles
from stream.core.contract.rows import IDENTITIES, ROW_TYPES
from stream.core.own_store import OwnTable

PSQL_VARIABLE = ":'cdc_password'"


def captured(mapping: dict[str, OwnTable]) -> dict[str, CapturedTable]:
    """The same for the connector."""
    return {name: CapturedTable(own.relation, own.columns, own.key_columns(name)) for name, own in mapping.items()}


def connector(mapping: dict[str, OwnTable]) -> dict[str, str]:
    """The connector's configuration: the shipped file, changed for a store with names of its own."""
    ours = register.load_configuration()
    return configuration(ours, captured(mapping)) if mapping else ours


def sql(mapping: dict[str, OwnTable], password: str = PSQL_VARIABLE) -> str:
    """What the store's owner runs: `psql -v cdc_password=... -f FILE`."""
    ours = {
        name: CapturedTable(f"enrichment.{name}", tuple(row.__struct_fields__), IDENTITIES[name])
        for name, row in ROW_TYPES.items()
    }
    return statements(captured(mapping) or ours, password)


def prepare(settings: Settings) -> None:
    """Make the store ready to be captured, as its owner: a store of somebody else's keeps its tables as they are."""
    mapping = own_store.chosen(settings)
    if not mapping:
        migrate.upgrade(settings.store_url, migrate.STORE_MIGRATIONS)
        roles.ensure_capture(settings.store_url, settings.cdc_password)
        return
    with psycopg.connect(settings.store_url) as connection:
        try:
            connection.execute(sql(mapping, literal.Literal(settings.cdc_password).as_string(connection)).encode())
        except psycopg.errors.DatabaseError as error:
            what = str(error).splitlines()[0]
            raise SettingsError(f"the store refuses to be prepared ({what}): see `cx prepare --print-sql`") from error
