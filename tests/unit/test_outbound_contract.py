"""The published contract: current, valid, without the quote, and kept for consumers that rely on it."""

import copy
import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from connectors.outbound.contract import projection, schemas
from connectors.outbound.contract.compatibility import breaking_changes
from connectors.outbound.relay.events import columns_of
from connectors.outbound.relay.snapshots import sequence, snapshot
from ops.outbound import contract
from ops.stack import roles
from ops.stack.topics import OUTBOUND, TOPICS
from stream.core.contract.schema import json_schema

FILES = sorted((contract.FOLDER / "schemas").glob("*.json"))
ASYNCAPI = json.loads((contract.FOLDER / "asyncapi.json").read_text())
PUBLISHED = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "maxLength": 256},
        "risk": {"enum": ["low", "high"]},
        "account": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 9}},
        "more": {"type": "object", "properties": {"minutes": {"type": "integer"}}, "required": ["minutes"]},
    },
    "required": ["id", "risk", "account", "tags"],
}


def test_what_is_committed_is_what_the_contract_makes() -> None:
    """Schemas, AsyncAPI document and change log are up to date and break nothing published (`cx outbound contract`)."""
    assert contract.problems() == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_schema_is_a_schema(path: Path) -> None:
    """JSON Schema 2020-12, by its own meta schema."""
    document = json.loads(path.read_text())

    assert document["$schema"] == schemas.DIALECT
    jsonschema.Draft202012Validator.check_schema(document)


def test_the_asyncapi_document_describes_the_topics() -> None:
    """One channel per outbound topic with its partitions, every reference leads somewhere, payloads are the JSON Schemas."""
    addresses = {one["address"]: one["bindings"]["kafka"]["partitions"] for one in ASYNCAPI["channels"].values()}
    references = re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(ASYNCAPI))

    assert ASYNCAPI["asyncapi"] == "3.0.0"
    assert addresses == {topic.name: topic.partitions for topic in TOPICS if topic.name in OUTBOUND}
    assert len(references) >= 4 * len(addresses)
    assert all(_found(reference) for reference in references)
    for path in FILES:
        own = {name: value for name, value in json.loads(path.read_text()).items() if name not in {"$schema", "$id"}}
        assert ASYNCAPI["components"]["schemas"][path.name.split(".")[0]] == own


def _found(reference: str) -> Any:
    place: Any = ASYNCAPI
    for step in reference.split("/"):
        place = place[step]
    return place


def test_the_outbound_topics_have_as_many_partitions_each() -> None:
    """A ticket is in the same partition of all three, and they are the topics of the projections."""
    outbound = [topic for topic in TOPICS if topic.name in OUTBOUND]

    assert {topic.name for topic in outbound} == {one.topic for one in projection.shipped()}
    assert len({(topic.partitions, topic.is_compacted) for topic in outbound}) == 1


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """An edit of a schema: `a/b/c` becomes this value; None removes it."""

    def edit(schema: dict[str, Any]) -> None:
        *steps, last = path.split("/")
        for step in steps:
            schema = schema[step]
        if value is None:
            del schema[last]
        else:
            schema[last] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (change("properties/id", None), "id is removed"),
        (change("properties/id/type", "integer"), "id: type was"),
        (change("properties/id/maxLength", 100), "id: maxLength was 256, is 100"),
        (change("properties/id/maxLength", 300), "id: maxLength was 256, is 300"),
        (change("properties/id/pattern", "^z"), "id: pattern was open, is ^z"),
        (change("properties/account", {"type": "string"}), "account: "),
        (change("properties/id/type", ["string", "null"]), "id: type was"),
        (change("properties/risk/enum", ["low"]), "enum value 'high' is removed"),
        (change("properties/risk/enum", ["low", "high", "huge"]), "enum value 'huge' is new"),
        (change("properties/risk", {"type": "string"}), "risk: enum was"),
        (change("properties/tags/items/maxLength", 8), "tags: items was"),
        (change("properties/more/properties/minutes/type", "number"), "more.minutes: type was"),
        (change("properties/more/required", []), "more.minutes is no longer required"),
        (change("required", ["id", "risk", "account"]), "tags is no longer required"),
        (change("required", ["id", "risk", "account", "tags", "more"]), "more is newly required"),
        (change("additionalProperties", False), "additionalProperties changes"),
    ],
)
def test_what_breaks_consumers_or_old_records_is_refused(edit: Callable[[dict[str, Any]], None], words: str) -> None:
    """Each kind of breaking change is found, and named in a sentence."""
    new = copy.deepcopy(PUBLISHED)
    edit(new)
    found = breaking_changes(PUBLISHED, new)

    assert any(words in sentence for sentence in found), found


@pytest.mark.parametrize(
    "edit",
    [
        change("properties/new", {"type": "string"}),
        change("properties/id/description", "words"),
        change("properties/id/deprecated", True),
        change("properties/risk/enum", ["high", "low"]),
        change("properties/account/anyOf", [{"type": "null"}, {"type": "string"}]),
        change("title", "another"),
    ],
)
def test_what_no_consumer_notices_may_follow(edit: Callable[[dict[str, Any]], None]) -> None:
    """A new optional field, words, deprecations and another order break nothing."""
    new = copy.deepcopy(PUBLISHED)
    edit(new)

    assert breaking_changes(PUBLISHED, new) == []


def test_a_published_version_cannot_be_rewritten(tmp_path: Path) -> None:
    """Another content under a version that is out needs another version; under another one it may follow."""
    published = {**PUBLISHED, "$id": "urn:cx-signals:x:1.0.0"}
    (tmp_path / "x.1.0.0.schema.json").write_text(json.dumps(published))
    added = copy.deepcopy(published)
    added["properties"]["new"] = {"type": "string"}

    assert contract.against_published(published, "x", 1, tmp_path) == []
    assert "cannot change" in contract.against_published(added, "x", 1, tmp_path)[0]
    assert contract.against_published({**added, "$id": "urn:cx-signals:x:1.1.0"}, "x", 1, tmp_path) == []
    assert contract.against_published({**added, "properties": {}}, "x", 2, tmp_path) == []
    assert "major version" in contract.against_published({**added, "properties": {}, "$id": "y"}, "x", 1, tmp_path)[0]


def test_every_version_of_today_is_published() -> None:
    """The schema of each projection's version is kept, so that the next change is compared with it."""
    kept = {path.name for path in contract.PUBLISHED.iterdir()}

    assert {f"{one.title}.{one.version}.schema.json" for one in projection.shipped()} <= kept


DOCUMENT: dict[str, Any] = {
    "title": "x", "topic": "x", "version": "1.0.0", "description": "x", "fields": [*sorted(projection.REQUIRED), "driver"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fields": [*DOCUMENT["fields"], "evidence_quote"]}, "never leaves the warehouse"),
        ({"fields": [*DOCUMENT["fields"], "driver"]}, "named twice"),
        ({"fields": [*DOCUMENT["fields"], "driver from x; --"]}, "not a field's name"),
        ({"fields": ["driver"]}, "must be among the fields"),
        ({"version": "1.0"}, "not major.minor.patch"),
        ({"deprecated": {"driver": {"since": date(2026, 1, 1)}}}, "without dates"),
        ({"deprecated": {"driver": {"since": date(2026, 1, 1), "removed_after": date(2026, 2, 1)}}}, "within 90 days"),
        ({"deprecated": {"tag": {"since": date(2026, 1, 1), "removed_after": date(2026, 9, 1)}}}, "not a field"),
    ],
)
def test_a_projection_that_would_harm_is_refused(change: dict[str, Any], words: str) -> None:
    """The quote cannot be named, what consumers need cannot be left out, deprecations have dates."""
    with pytest.raises(projection.ProjectionError, match=words):
        projection.parse({**DOCUMENT, **change})


def test_a_deprecation_shows_in_the_schema() -> None:
    """A consumer reads since when, until when and what to use instead."""
    going = {"driver": {"since": date(2026, 1, 1), "removed_after": date(2026, 9, 1), "use": "canonical_tag"}}
    schema = schemas.value_schema(json_schema(), projection.parse({**DOCUMENT, "deprecated": going}))

    assert schema["properties"]["driver"]["deprecated"] is True
    assert "2026-09-01" in schema["properties"]["driver"]["description"]


def test_the_role_may_read_exactly_what_the_projections_name() -> None:
    """What is granted on landing is the union of the projections and the relay's own columns."""
    granted = re.search(r"grant select \(([^)]*)\) on landing.ticket_signals", roles.OUTBOUND_GRANTS)
    own = {"kafka_offset", "landed_at", "landed_xid"}

    assert granted is not None
    assert {name.strip() for name in granted[1].split(",")} == set(columns_of(projection.shipped())) | own


def test_sequences_are_ordered_as_text() -> None:
    """Epoch, transaction, rank and offset count in this order, whatever their number of digits."""
    places = [(1, 9, 2, 9), (1, 10, 0, 0), (1, 10, 1, 9), (1, 10, 1, 10), (1, 10, 2, 0), (1, 2**40, 0, 0), (2, 1, 0, 0)]
    texts = [sequence(*place) for place in places]
    pattern = schemas.headers_schema()["properties"]["ce_sequence"]["pattern"]

    assert texts == sorted(texts)
    assert all(re.match(pattern, text) for text in texts)


@pytest.mark.parametrize("text", ["", "1:2", "1:2:3,", "1:2:x", "1:2:3'; drop table x"])
def test_only_a_snapshot_becomes_part_of_a_query(text: str) -> None:
    """Anything else than PostgreSQL's own spelling is refused."""
    with pytest.raises(ValueError, match="not a snapshot"):
        snapshot(text)
