"""The contract is written once: typed row, JSON Schema, SQLAlchemy table, landing table, store and dbt source agree."""

from pathlib import Path

import jsonschema
import psycopg
import pytest
import yaml

from ops.settings import PROJECT_DIRECTORY
from stream.core.contract.rows import IDENTITIES, ROW_TYPES, TicketSignal
from stream.core.contract.schema import TITLE, json_schema, schema_text
from stream.core.drift import kind_allows_null
from stream.edges.store import store_differences
from stream.edges.warehouse import tables
from tests.unit.stream.events import signal

FIELDS = list(TicketSignal.__struct_fields__)
SCHEMA_FILE = PROJECT_DIRECTORY / "stream" / "core" / "contract" / f"{TITLE}.schema.json"
SOURCES = PROJECT_DIRECTORY / "dbt_project" / "models" / "staging" / "_sources.yml"
TYPES = "select column_name, data_type from information_schema.columns where table_schema = %s and table_name = %s"


def columns(url: str, schema: str, table: str) -> dict[str, str]:
    with psycopg.connect(url) as connection:
        return dict(connection.execute(TYPES, [schema, table]).fetchall())


def test_the_schema_file_is_the_generated_one() -> None:
    """The committed JSON Schema is what the typed row generates."""
    assert schema_text() == SCHEMA_FILE.read_text()


def test_the_schema_accepts_the_canonical_event_and_nothing_less() -> None:
    """A good event passes; one without a field, with another enum value or with an unknown field does not."""
    event = {**signal(), "custom_metrics": {"a": 1}, "sentiment_score": -0.5}
    validator = jsonschema.Draft202012Validator(json_schema())
    validator.validate(event)
    broken = [
        {**event, "sentiment": "mixed"},
        {**event, "surprise": 1},
        {**event, "version": 0},
        {**event, "evidence_url": "ftp://x"},
    ]
    broken += [{name: value for name, value in event.items() if name != missing} for missing in FIELDS]

    assert not [one for one in broken if validator.is_valid(one)]


def test_the_edge_writes_every_field_of_the_contract() -> None:
    """The SQLAlchemy table has the contract's fields in its order, then where a version came from."""
    table = tables.versions
    assert [column.name for column in table.columns][: len(FIELDS)] == FIELDS
    optional = {name for name, kind in TicketSignal.__annotations__.items() if kind_allows_null(kind)}
    assert optional - {"raw_tags", "custom_metrics"} == {c.name for c in table.columns if c.nullable and c.name in FIELDS}


def test_the_database_has_what_the_edge_writes(warehouse_url: str) -> None:
    """The migrated landing tables hold the columns the edge writes, with the types of the store's."""
    for name in ("ticket_signal_versions", "ticket_signals"):
        assert set(tables.SIGNAL_COLUMNS) <= columns(warehouse_url, "landing", name).keys()


@pytest.mark.parametrize("table", sorted(ROW_TYPES))
def test_store_and_landing_agree_on_types(table: str, store_url: str, warehouse_url: str) -> None:
    """Each column of the contract exists in the store and in landing with one type."""
    store, landing = columns(store_url, "enrichment", table), columns(warehouse_url, "landing", table)
    for field in ROW_TYPES[table].__struct_fields__:
        assert store[field] == landing[field], field
    assert set(IDENTITIES[table]) <= landing.keys()


def test_the_store_is_compared_with_the_contract(store_url: str) -> None:
    """A store at the newest revision shows no difference; each altered column shows one."""
    assert store_differences(store_url) == []
    with psycopg.connect(store_url, autocommit=True) as store:
        store.execute("alter table enrichment.ticket_signals add channel text, drop driver")
        store.execute("alter table enrichment.ticket_signals rename effort to work")
        store.execute("alter table enrichment.ticket_signals alter version type numeric")

    assert {
        ("ticket_signals", "unknown_column", "channel"),
        ("ticket_signals", "missing_optional_column", "driver"),
        ("ticket_signals", "missing_required_column", "effort"),
        ("ticket_signals", "unknown_column", "work"),
        ("ticket_signals", "retyped_column", "version"),
    } == set(store_differences(store_url))


def test_dbt_describes_every_field() -> None:
    """dbt's source names each field of the contract, in history and latest."""
    sources = yaml.safe_load(Path(SOURCES).read_text())["sources"]
    described = {
        table["name"]: {column["name"] for column in table["columns"]}
        for source in sources
        if source["name"] == "landing"
        for table in source["tables"]
    }

    assert set(FIELDS) <= described["ticket_signal_versions"]
    assert set(FIELDS) <= described["ticket_signals"]
