"""The JSON Schema of the canonical event, generated from the typed row: `python -m stream.core.contract.schema` prints it."""

import sys
from typing import Any

import msgspec

from stream.core.contract.rows import MAX_SCORE, TicketSignal

VERSION = 1
TITLE = f"ticket_signal.v{VERSION}"

# Debezium writes numeric and jsonb as text; the canonical event has the number and the object.
AS_PUBLISHED: dict[str, dict[str, Any]] = {
    "sentiment_score": {"type": "number", "minimum": -MAX_SCORE, "maximum": MAX_SCORE},
    "custom_metrics": {"type": "object"},
}


def json_schema() -> dict[str, Any]:
    """The schema as a document. Additional properties are refused: an unknown field is drift, and drift has a policy."""
    _, components = msgspec.json.schema_components([TicketSignal])
    schema = components["TicketSignal"]
    for name, published in AS_PUBLISHED.items():
        schema["properties"][name] = {"anyOf": [published, {"type": "null"}]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": TITLE}


def schema_text() -> str:
    """The schema file's content."""
    return msgspec.json.format(msgspec.json.encode(json_schema()), indent=2).decode() + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
