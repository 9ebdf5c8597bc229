"""The AsyncAPI document against the objects of the AsyncAPI 3.0.0 specification that it uses: no field that is not one of theirs.

Source: asyncapi.com/docs/reference/specification/v3.0.0. The document was also valid under the official meta schema (400 kB).
"""

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import pytest

from ops.outbound import contract

DOCUMENT = json.loads((contract.FOLDER / "asyncapi.json").read_text())
Edit = Callable[[dict[str, Any]], object]


def fixed(required: str, **properties: Any) -> dict[str, Any]:
    """A Fixed Fields object: these fields and no others."""
    return {"type": "object", "properties": properties, "required": required.split(), "additionalProperties": False}


def named(values: dict[str, Any]) -> dict[str, Any]:
    """A map whose names are usable as component keys."""
    return {"type": "object", "minProperties": 1, "patternProperties": {r"^[\w.-]+$": values}, "additionalProperties": False}


TEXT, WORDS = {"type": "string"}, {"type": "string", "minLength": 1}
SCHEMA = {"type": "object"}
CHANNEL_BINDING = fixed(
    "bindingVersion",
    topic=WORDS,
    partitions={"type": "integer", "exclusiveMinimum": 0},
    topicConfiguration={"type": "object", "properties": {"cleanup.policy": {"items": {"enum": ["compact", "delete"]}}}},
    bindingVersion={"const": "0.5.0"},
)


def reference(start: str) -> dict[str, Any]:
    return fixed("$ref", **{"$ref": {"type": "string", "pattern": f"^#/{start}[^/]+$"}})


MESSAGE = fixed(
    "payload",
    name=TEXT,
    title=TEXT,
    summary=TEXT,
    contentType={"const": "application/json"},
    headers=reference("components/schemas/"),
    payload=SCHEMA,
    bindings=fixed("kafka", kafka=fixed("key bindingVersion", key=SCHEMA, bindingVersion={"const": "0.5.0"})),
)
SPECIFICATION = fixed(
    "asyncapi info channels operations components",
    asyncapi={"const": "3.0.0"},
    info=fixed("title version", title=WORDS, version=WORDS, description=TEXT, license=fixed("name", name=WORDS, url=TEXT)),
    defaultContentType=WORDS,
    channels=named(
        fixed(
            "address messages",
            address=WORDS,
            description=TEXT,
            messages=named(reference("components/messages/")),
            bindings=fixed("kafka", kafka=CHANNEL_BINDING),
        )
    ),
    operations=named(
        fixed(
            "action channel",
            action={"enum": ["send", "receive"]},
            channel=reference("channels/"),
            messages={"type": "array", "items": reference("channels/[^/]+/messages/")},
            summary=TEXT,
        )
    ),
    components=fixed("messages schemas", messages=named(MESSAGE), schemas=named(SCHEMA)),
)
# Words of later dialects, which a reader of AsyncAPI's own schema language (draft 07 and more) passes over without checking.
LATER = {"$defs", "prefixItems", "dependentRequired", "dependentSchemas", "unevaluatedProperties", "minContains", "$dynamicRef"}


def problems(document: dict[str, Any]) -> Iterator[str]:
    """What the specification forbids, in words."""
    for error in jsonschema.Draft7Validator(SPECIFICATION).iter_errors(document):
        yield f"{error.json_path}: {error.message}"
    for found in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        if not leads_somewhere(document, found):
            yield f"nothing is at #/{found}"
    for name, one in document.get("operations", {}).items():
        for message in one.get("messages", []):
            if not message["$ref"].startswith(one.get("channel", {}).get("$ref", "") + "/messages/"):
                yield f"{name}: its message is not one of its channel"
    addresses = [one.get("address") for one in document.get("channels", {}).values()]
    if len(addresses) != len(set(addresses)):
        yield "two channels have one address"
    yield from (f"{name}: {word} is no word of draft 07" for name, word in later_words(document))


def leads_somewhere(document: dict[str, Any], reference: str) -> bool:
    """Whether a reference has an end; references on the way are followed, as `#/channels/x/messages/x` ends in one."""
    place: Any = document
    for step in reference.split("/"):
        if not isinstance(place, dict) or step not in place:
            return False
        place = place[step]
    return True


def later_words(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        yield from ((name, word) for word in sorted(LATER & set(re.findall(r'"([^"]+)":', json.dumps(schema)))))


def test_the_document_is_asyncapi_3() -> None:
    """Every object has the fields it needs and no other, every reference leads to an object of the right kind."""
    assert list(problems(DOCUMENT)) == []


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_every_schema_of_the_document_is_one_in_its_dialect(name: str) -> None:
    """Without a schemaFormat a schema is read as draft 07."""
    jsonschema.Draft7Validator.check_schema(DOCUMENT["components"]["schemas"][name])


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda one: one.pop("info"), "'info' is a required property"),
        (lambda one: one["info"].pop("version"), "'version' is a required property"),
        (lambda one: one.update(asyncapi="2.6.0"), "$.asyncapi"),
        (lambda one: one.update(topics={}), "'topics' was unexpected"),
        (lambda one: one["channels"]["signal"].pop("address"), "'address' is a required property"),
        (lambda one: one["channels"]["signal"].update(subscribe={}), "'subscribe' was unexpected"),
        (lambda one: one["channels"]["signal"].update(address="cx.signals.crm.v1"), "two channels have one address"),
        (lambda one: one["channels"].pop("signal"), "nothing is at #/channels/signal"),
        (lambda one: one["operations"]["send_signal"].update(action="publish"), "'publish' is not one of"),
        (
            lambda one: one["operations"]["send_signal"].update(channel={"$ref": "#/channels/signal_crm"}),
            "not one of its channel",
        ),
        (lambda one: one["operations"]["send_signal"]["messages"][0].update({"$ref": "#/components/messages/signal"}), "$ref"),
        (lambda one: one["components"]["messages"].pop("signal_ops"), "nothing is at #/components/messages/signal_ops"),
        (lambda one: one["components"]["schemas"].pop("headers"), "nothing is at #/components/schemas/headers"),
        (lambda one: one["components"]["schemas"]["key"].update(prefixItems=[]), "prefixItems is no word of draft 07"),
        (lambda one: one["components"]["messages"]["signal"].pop("payload"), "'payload' is a required property"),
    ],
)
def test_what_the_specification_forbids_is_found(edit: Edit, words: str) -> None:
    """Each kind of mistake that a generator could make is named."""
    document = copy.deepcopy(DOCUMENT)
    edit(document)

    assert any(words in problem for problem in problems(document)), list(problems(document))
