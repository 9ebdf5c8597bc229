"""JSON Schemas (2020-12) of what leaves, made from the contract of the stream and the projections. Pure."""

from collections.abc import Mapping
from typing import Any

from connectors.outbound.contract.projection import IDENTITY, Projection, ProjectionError
from connectors.outbound.relay.events import CHANGED_TYPE, DELETED_TYPE, SOURCE, schema_name

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def value_schema(contract: Mapping[str, Any], projection: Projection) -> Schema:
    """The schema of a projection's values. Unknown properties are allowed: a minor version may add fields.

    Args:
        contract: the JSON Schema of the canonical event (stream/core/contract).
        projection: what of it leaves.
    """
    known = contract["properties"]
    if unknown := [name for name in projection.fields if name not in known]:
        raise ProjectionError(f"{projection.title}: the contract has no field {unknown[0]!r}")
    return {
        "$schema": DIALECT,
        "$id": schema_name(projection),
        "title": f"{projection.title}.v{projection.major}",
        "description": projection.description,
        "type": "object",
        "properties": {name: _property(name, known[name], projection) for name in projection.fields},
        "required": list(projection.fields),
    }


def _property(name: str, schema: Mapping[str, Any], projection: Projection) -> Schema:
    going = projection.deprecated.get(name)
    if going is None:
        return dict(schema)
    use = f" Use {going.use}." if going.use else ""
    note = f"Deprecated since {going.since}, removed after {going.removed_after} at the earliest.{use}"
    return {**schema, "deprecated": True, "description": note}


def key_schema(contract: Mapping[str, Any]) -> Schema:
    """The schema of every record's key."""
    return {
        "$schema": DIALECT,
        "$id": "urn:cx-signals:key:1.0.0",
        "title": "key.v1",
        "description": "The identity of a ticket.",
        "type": "object",
        "properties": {name: dict(contract["properties"][name]) for name in IDENTITY},
        "required": list(IDENTITY),
        "additionalProperties": False,
    }


def headers_schema() -> Schema:
    """The CloudEvents attributes in the headers of every record."""
    text = {"type": "string", "minLength": 1}
    return {
        "$schema": DIALECT,
        "$id": "urn:cx-signals:headers:1.0.0",
        "title": "headers.v1",
        "description": "CloudEvents 1.0, Kafka protocol binding, binary mode.",
        "type": "object",
        "properties": {
            "ce_specversion": {"const": "1.0"},
            "ce_id": {**text, "description": "The idempotency key; of a delete: deleted:<subject>@<position>."},
            "ce_type": {"enum": [CHANGED_TYPE, DELETED_TYPE]},
            "ce_source": {"const": SOURCE},
            "ce_subject": {**text, "description": "source_system/ticket_id"},
            "ce_time": {"type": "string", "format": "date-time", "description": "When the change landed in the warehouse."},
            "ce_sequence": {
                "type": "string",
                "pattern": "^[0-9a-f]{4}-[0-9a-f]{16}-[0-2]-[0-9a-f]{16}$",
                "description": "Orders the records of a ticket as text: one that is not greater than the last is a repeat.",
            },
            "ce_version": {"type": "string", "pattern": "^[0-9]+$", "description": "The ticket's version; absent on a delete."},
            "ce_dataschema": {**text, "description": "urn:cx-signals:<schema>:<contract version>"},
            "ce_filling": {"const": "true", "description": "Present while the topics are first told what there already was."},
            "content-type": {"const": "application/json", "description": "Absent on a delete."},
        },
        "required": [
            f"ce_{name}" for name in ("specversion", "id", "type", "source", "subject", "time", "sequence", "dataschema")
        ],
    }
