"""One row becomes what would be stored, or a reason."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from connectors.imports.conversion import Conversion, Rejection, Signal
from connectors.imports.mapping import Field, Mapping, Tag
from connectors.imports.reading import Row
from connectors.imports.taxonomy import Lookup

END = datetime(2026, 11, 24, 12, tzinfo=UTC)
BASE: dict[str, Any] = {
    "source_system": {"constant": "desk"},
    "ticket_id": {"column": "id"},
    "version": {"column": "v"},
    "occurred_at": {"column": "at", "time": "iso"},
    "sentiment": {"column": "mood", "values": {"good": "positive", "bad": "negative"}},
    "churn_risk": {"constant": "none"},
    "effort": {"constant": "low"},
    "evidence_url": {"template": "https://desk.example/{ticket_id}?v={v}"},
}
ROW = {"id": "T 1", "v": "3", "at": "2026-11-24T10:00:00Z", "mood": "bad", "tags": "late|asdf", "score": "0.50"}


def convert(fields: dict[str, Any], row: dict[str, Any], lookup: Lookup | None = None, **rest: Any) -> Signal | Rejection:
    mapping = msgspec.convert({"fields": {**BASE, **fields}, **rest}, Mapping)
    from_csv = Conversion(mapping, list(row), lookup, END)
    from_json = Conversion(mapping, None, lookup, END)
    converted = from_csv.convert(Row(7, list(row.values()), "as read"), None)
    assert from_json.convert(Row(7, row, "as read"), None) == converted, "CSV and JSONL read alike"
    return converted


def stored(fields: dict[str, Any], row: dict[str, Any] = ROW, **rest: Any) -> Signal:
    converted = convert(fields, row, **rest)
    assert isinstance(converted, Signal), converted
    return converted


def test_identity_key_and_address() -> None:
    """The key and the event id follow from identity and version; values are made safe for an address."""
    signal = stored({})
    assert signal.idempotency_key == "desk:T 1:3"
    assert signal.event_id == stored({}).event_id
    assert signal.evidence_url == "https://desk.example/T%201?v=3"


def test_tags_are_split_and_looked_up() -> None:
    """The first raw tag that the taxonomy knows gives canonical tag and driver."""
    lookup = Lookup({"asdf": Tag("keyboard", "Product")}, reject_unmapped=False)
    signal = stored({"raw_tags": {"column": "tags", "split": "|"}}, lookup=lookup)
    assert (signal.raw_tags, signal.canonical_tag, signal.driver) == (["late", "asdf"], "keyboard", "Product")


def test_unknown_tags_are_null_or_rejected() -> None:
    """A raw tag that nobody knows leaves canonical tag and driver null, or rejects the row when the mapping says so."""
    fields = {"raw_tags": {"column": "tags"}}
    assert stored(fields, lookup=Lookup({}, reject_unmapped=False)).driver is None
    rejected = convert(fields, ROW, Lookup({}, reject_unmapped=True))
    assert isinstance(rejected, Rejection)
    assert "taxonomy" in rejected.reason


def test_numbers_are_exact_and_metrics_are_typed() -> None:
    """A score keeps its digits; metrics get the type of the mapping and leave out nulls."""
    metrics = {"n": {"column": "v", "type": "integer"}, "s": {"column": "score", "type": "number"}, "none": {"column": "empty"}}
    signal = stored({"sentiment_score": {"column": "score"}}, {**ROW, "empty": ""}, metrics=metrics)
    assert signal.sentiment_score == Decimal("0.50")
    assert signal.custom_metrics == '{"n": 3, "s": 0.5}'


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ({"column": "mood", "values": {"BAD": "negative"}, "ignore_case": True}, "negative"),
        ({"column": "mood", "values": {"x": "y"}, "otherwise": "neutral"}, "neutral"),
        ({"column": "none", "when_null": "neutral"}, "neutral"),
        ({"column": "mood", "nulls": ["bad"], "when_null": "neutral"}, "neutral"),
        ({"column": "mood", "validate": False}, "bad"),
        ({"column": "none", "validate": False}, None),
        ({"column": "mood", "values": {"bad": "null"}, "validate": False}, None),
        ({"column": "mood", "values": {"x": "y"}, "unmapped": "keep", "validate": False}, "bad"),
    ],
)
def test_value_maps_and_nulls(field: dict[str, Any], expected: str | None) -> None:
    """What a value map does not list, and what is null, is treated as the mapping says."""
    assert stored({"sentiment": field}, {**ROW, "none": ""}).sentiment == expected


@pytest.mark.parametrize(
    ("row", "fields", "column", "reason"),
    [
        ({"mood": "meh"}, {}, "mood", "not among the mapped values (good, bad)"),
        ({"mood": "furious"}, {"sentiment": {"column": "mood"}}, "mood", "is no sentiment"),
        ({"id": ""}, {}, "id", "identity"),
        ({"v": "0"}, {}, "v", "not a version"),
        ({"v": "1.5"}, {}, "v", "not a whole number"),
        ({"v": "9" * 30}, {}, "v", "not a whole number"),
        ({"v": ""}, {}, "v", "not a version"),
        ({"at": "soon"}, {}, "at", "not a time"),
        ({"at": ""}, {}, "at", "required"),
        ({"score": "NaN"}, {"sentiment_score": {"column": "score"}}, "score", "not a finite number"),
        ({"score": "1e999999"}, {"sentiment_score": {"column": "score"}}, "score", "not a finite number"),
        ({"mood": ""}, {"evidence_url": {"column": "mood"}, "sentiment": {"constant": "neutral"}}, "mood", "required"),
        ({"mood": "ftp"}, {"evidence_url": {"column": "mood"}, "sentiment": {"constant": "neutral"}}, "mood", "http(s)"),
        ({}, {"event_id": {"column": "id"}}, "event_id", "not a UUID"),
    ],
)
def test_unreadable_values_are_named(row: dict[str, str], fields: dict[str, Any], column: str, reason: str) -> None:
    """A row that cannot be read says line, column, value, reason, and keeps its text."""
    rejected = convert(fields, {**ROW, **row})
    assert isinstance(rejected, Rejection)
    assert (rejected.line, rejected.column, rejected.text) == (7, column, "as read")
    assert reason in rejected.reason


def test_nul_is_rejected() -> None:
    """A NUL character, which PostgreSQL cannot hold, rejects its row."""
    conversion = Conversion(msgspec.convert({"fields": BASE}, Mapping), list(ROW), None, END)
    rejected = conversion.convert(Row(2, list(ROW.values()), "a\0b"), None)
    assert isinstance(rejected, Rejection)
    assert "NUL" in rejected.reason


def test_json_values_reach_inside_objects() -> None:
    """In JSONL a dotted name reaches into nested objects, lists become tags, and json metrics stay objects."""
    fields = {**BASE, "ticket_id": {"column": "ticket.id"}, "raw_tags": {"column": "labels"}}
    metrics = {"all": Field(column="ticket", type="json")}
    conversion = Conversion(
        msgspec.convert({"fields": fields, "metrics": metrics}, Mapping, from_attributes=True), None, None, END
    )
    row = {**ROW, "ticket": {"id": 570306133677760513}, "labels": ["a", "b", "a"]}
    signal = conversion.convert(Row(1, row, ""), None)
    assert isinstance(signal, Signal)
    assert (signal.ticket_id, signal.raw_tags) == ("570306133677760513", ["a", "b"])
    assert signal.custom_metrics == '{"all": {"id": 570306133677760513}}'


def test_a_time_can_be_the_version() -> None:
    """With `time:`, a version is the column's instant in milliseconds, so that a later update is a higher version."""
    assert stored({"version": {"column": "at", "time": "iso"}}).version == 1795514400000
