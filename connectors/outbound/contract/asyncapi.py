"""The AsyncAPI 3 document of the outbound topics, made from the same projections and schemas. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.outbound.contract import schemas
from connectors.outbound.contract.projection import Projection

Document = dict[str, Any]
VERSION = "3.0.0"
KAFKA_BINDING = "0.5.0"


def document(contract: Mapping[str, Any], projections: Sequence[Projection], partitions: int) -> Document:
    """The whole document.

    Args:
        contract: the JSON Schema of the canonical event.
        projections: one channel each, the canonical one first: its version is the document's.
        partitions: of every topic.
    """
    key = _inline(schemas.key_schema(contract))
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "CX Signals",
            "version": projections[0].version,
            "description": "Every applied change of a support ticket's signals, in the order of the ticket. "
            "Made by `cx outbound contract --write`; what changed is in CHANGELOG.md.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {one.title: _channel(one, partitions) for one in projections},
        "operations": {f"send_{one.title}": _operation(one) for one in projections},
        "components": {
            "messages": {one.title: _message(one, key) for one in projections},
            "schemas": {
                **{one.title: _inline(schemas.value_schema(contract, one)) for one in projections},
                "key": key,
                "headers": _inline(schemas.headers_schema()),
            },
        },
    }


def _channel(projection: Projection, partitions: int) -> Document:
    return {
        "address": projection.topic,
        "description": projection.description,
        "messages": {projection.title: {"$ref": f"#/components/messages/{projection.title}"}},
        "bindings": {
            "kafka": {
                "topic": projection.topic,
                "partitions": partitions,
                "topicConfiguration": {"cleanup.policy": ["compact"]},
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _operation(projection: Projection) -> Document:
    channel = f"#/channels/{projection.title}"
    return {
        "action": "send",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{projection.title}"}],
        "summary": "At least once; a repeat has the same ce_id and ce_sequence.",
    }


def _message(projection: Projection, key: Document) -> Document:
    # The key is written out: AsyncAPI's own schema takes a reference there for two things at once.
    return {
        "name": projection.title,
        "title": f"{projection.title} {projection.version}",
        "summary": projection.description,
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/headers"},
        "payload": {"oneOf": [{"$ref": f"#/components/schemas/{projection.title}"}, {"type": "null"}]},
        "bindings": {"kafka": {"key": key, "bindingVersion": KAFKA_BINDING}},
    }


def _inline(schema: Mapping[str, Any]) -> Document:
    """A schema within the document: its dialect and name belong to a file of its own."""
    return {name: value for name, value in schema.items() if name not in {"$schema", "$id"}}
