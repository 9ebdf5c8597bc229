"""A store with names of its own: its mapping file, what becomes of its records, the connector and the SQL for its owner."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from connectors import register
from ops import own_store, prepare_store
from ops.settings import PROJECT_DIRECTORY, SettingsError
from stream.core.decode import decode
from stream.core.own_store import MappingError, parse_mapping, translate
from stream.core.records import Change, Deletion, RawRecord, Rejection
from stream.worker import read_policy
from tests.unit.stream.events import SIGNALS, changed, envelope, record, signal

EXAMPLE = PROJECT_DIRECTORY / "connectors/own_store/example.yml"
MAPPING = own_store.read(EXAMPLE)
POLICY = read_policy()
ROW: dict[str, Any] = {
    "origin": "intercom", "conv_id": 4711, "revision": 3, "analysed_at": "2026-11-01T08:00:00.123456Z", "customer": "acme",
    "mood": "neg", "churn": 2, "labels": ["refund"], "extra": '{"a": 12.50}', "quote": "I want {revision} back",
    "handle_seconds": 90,
}  # fmt: skip
KEY = {"origin": "intercom", "conv_id": 4711}


def ours(row: dict[str, Any] | None, position: int = 10, op: str = "u", before: object = None) -> Any:
    """What the rules see of a record of the example's store."""
    one = record(envelope(row, position, op=op, before=before), key=KEY)
    return decode(translate(one, MAPPING), POLICY)


def test_a_foreign_row_becomes_a_ticket_signal() -> None:
    """Columns are renamed, values mapped, texts composed, numbers made text where the contract has text."""
    change = ours(ROW)

    assert isinstance(change, Change)
    assert change.identity == ("intercom", "4711")
    row = change.row
    assert (row.version, row.sentiment, row.churn_risk, row.effort) == (3, "negative", "medium", "low")  # type: ignore[union-attr]
    assert row.idempotency_key == "intercom/4711/3"  # type: ignore[union-attr]
    assert row.evidence_url == "https://desk.example.com/c/4711"  # type: ignore[union-attr]
    assert row.evidence_quote == "I want {revision} back"  # type: ignore[union-attr]
    assert row.custom_metrics == '{"handle_seconds":90,"a":12.50}'  # type: ignore[union-attr]


def test_a_delete_is_a_delete_of_our_identity() -> None:
    """With the whole row before it, and with the key alone."""
    for before in (ROW, None):
        deletion = ours(None, 20, op="d", before=before)
        assert isinstance(deletion, Deletion)
        assert deletion.identity == ("intercom", "4711")


def test_what_breaks_the_contract_is_a_dead_letter_in_our_words() -> None:
    """A value that no mapping names stays as it is and is rejected; the letter can be edited and replayed."""
    rejection = ours({**ROW, "mood": "furious"})

    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.detail) == ("unknown_enum_value", "sentiment = 'furious'")
    assert json.loads(rejection.record.value or b"")["after"]["sentiment"] == "furious"


def test_a_column_that_vanished_is_a_missing_column() -> None:
    """The drift policy decides; no field becomes null silently."""
    rejection = ours({name: value for name, value in ROW.items() if name != "customer"})

    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.detail) == ("missing_column", "column 'account_id'")


def test_an_unchanged_value_that_was_not_sent_comes_from_before() -> None:
    """The sentinel survives every kind of mapping, so that it is recognised and never stored."""
    sentinel = "__cx_unavailable_value_5e1f0c"
    change = ours({**ROW, "extra": sentinel, "quote": sentinel}, before=ROW)

    assert isinstance(change, Change)
    assert change.content_hash == ours(ROW).content_hash


@given(st.binary(max_size=60) | st.sampled_from([b"{}", b"null", b"[1]", b'{"after": 3}', b'{"after": {"revision": {}}}']))
def test_what_cannot_be_read_goes_on_as_it_is(value: bytes) -> None:
    """Translating never raises; `decode` says what is wrong."""
    one = translate(RawRecord(SIGNALS, 0, 0, 0, value, value), MAPPING)

    assert isinstance(decode(one, POLICY), Rejection)


@given(
    st.dictionaries(
        st.sampled_from(sorted(ROW)), st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
    )
)
def test_any_row_becomes_a_change_or_a_rejection(values: dict[str, Any]) -> None:
    """Whatever the store writes into its columns."""
    assert isinstance(ours({**ROW, **values}), Change | Rejection)


def test_tables_that_are_not_mapped_are_left_alone() -> None:
    """A record of another table is the very same object."""
    one = record(b"{}", topic="cx.enrichment.tag_taxonomy")

    assert translate(one, MAPPING) is one


def test_a_mapping_of_equal_names_changes_nothing() -> None:
    """Mapped onto itself, a row of our own store decodes to the same change."""
    columns = {name: name for name in signal()}
    mapping = parse_mapping({"ticket_signals": {"table": "enrichment.ticket_signals", "columns": columns}})
    one = changed(signal(), 10)

    assert decode(translate(one, mapping), POLICY).content_hash == decode(one, POLICY).content_hash  # type: ignore[union-attr]


def test_a_time_can_be_a_version() -> None:
    """Microseconds since 1970 grow with every change."""
    document = yaml.safe_load(EXAMPLE.read_text())
    document["ticket_signals"]["columns"]["version"] = {"microseconds_of": "analysed_at"}
    change = decode(translate(record(envelope(ROW, 10)), parse_mapping(document)), POLICY)

    assert isinstance(change, Change)
    assert change.row.version == 1_793_520_000_123_456  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda d: d.clear(), "names tables of the contract"),
        (lambda d: d.pop("ticket_signals"), "where ticket_signals comes from"),
        (lambda d: d.update(tickets={}), "names tables of the contract"),
        (lambda d: d["ticket_signals"].update(table="conversation_ai"), "table: schema.table"),
        (lambda d: d["ticket_signals"]["columns"].pop("ticket_id"), "ticket_id must be mapped"),
        (lambda d: d["ticket_signals"]["columns"].pop("evidence_url"), "evidence_url must be mapped"),
        (lambda d: d["ticket_signals"]["columns"].update(mood="mood"), "the contract has no mood"),
        (lambda d: d["ticket_signals"]["columns"].update(driver={"colum": "x"}), "ticket_signals.driver: write a column's name"),
        (lambda d: d["ticket_signals"]["columns"].update(driver={"constant": "x", "values": {}}), "only the values of a column"),
        (lambda d: d["accounts"].update(metrics=["x"]), "only ticket_signals has metrics"),
        (lambda d: d["accounts"]["columns"].update(account_id={"constant": "one"}), "at least one column"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_with_the_place(edit: Any, said: str) -> None:
    """The message names the table, the field and what is allowed."""
    document = yaml.safe_load(EXAMPLE.read_text())
    edit(document)
    with pytest.raises(MappingError, match=said):
        parse_mapping(document)


def test_a_mapping_file_that_is_not_there_is_one_sentence() -> None:
    """The variable and the file are named."""
    with pytest.raises(SettingsError, match=r"CX_STORE_MAPPING /nowhere/map\.yml"):
        own_store.read(Path("/nowhere/map.yml"))


def test_the_connector_captures_only_what_is_mapped() -> None:
    """Tables, columns and keys are theirs, topics are ours; every other key is as shipped."""
    ours, theirs = register.load_configuration(), prepare_store.connector(MAPPING)

    assert theirs["table.include.list"] == r"support\.conversation_ai,crm\.customers"
    assert theirs["message.key.columns"] == r"support\.conversation_ai:origin,conv_id;crm\.customers:id"
    assert r"support\.conversation_ai\.mood" in theirs["column.include.list"].split(",")
    assert theirs["transforms.accounts.replacement"] == "cx.enrichment.accounts"
    changed_keys = {"table.include.list", "guardrail.collections.max"}
    assert {name: theirs[name] for name in ours.keys() - changed_keys} == {
        name: ours[name] for name in ours.keys() - changed_keys
    }
    assert prepare_store.connector({}) == ours


def test_the_sql_for_the_owner_grants_columns_and_names_no_password() -> None:
    """What is printed can be read by anybody: the password is psql's variable."""
    text = prepare_store.sql(MAPPING)

    assert "password :'cdc_password'" in text
    assert 'grant select ("origin", "conv_id", ' in text
    assert "superuser" not in text
    assert 'alter table "enrichment"."ticket_signals" replica identity full;' in prepare_store.sql({})
