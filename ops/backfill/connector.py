"""What Kafka Connect knows of running incremental snapshots: they are kept in the connector's stored offsets."""

import json
from typing import Any

import httpx

COLLECTIONS = "incremental_snapshot_collections"
TABLE, FILTER = "incremental_snapshot_collections_id", "incremental_snapshot_collections_additional_condition"


class ConnectorUnreachable(Exception):
    """Kafka Connect does not answer, or does not know the connector; the message says which."""


def running(connect_url: str, name: str = "enrichment") -> list[tuple[str, str]]:
    """Table and filter of the snapshots that run or wait, the present one first. Raises ConnectorUnreachable."""
    try:
        answer = httpx.get(f"{connect_url}/connectors/{name}/offsets", timeout=10)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise ConnectorUnreachable(f"Kafka Connect at {connect_url}: {error or type(error).__name__}") from error
    return in_offsets(answer.json())


def in_offsets(document: dict[str, Any]) -> list[tuple[str, str]]:
    """The same from the body of Connect's answer. Pure."""
    stored = [entry.get("offset") or {} for entry in document.get("offsets", [])]
    collections = [one for offset in stored for one in json.loads(offset.get(COLLECTIONS) or "[]")]
    return [(one.get(TABLE, ""), one.get(FILTER) or "") for one in collections]
