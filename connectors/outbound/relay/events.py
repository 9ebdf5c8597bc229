"""From a landing row to the records that leave: CloudEvents 1.0 in Kafka's binary mode, one per projection. No I/O.

Source: github.com/cloudevents/spec, "Kafka Protocol Binding", "Sequence" extension.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from connectors.outbound.contract.projection import Projection
from connectors.outbound.relay.snapshots import WITHDRAWN, sequence

SOURCE = "/cx-signals/landing"
CHANGED_TYPE, DELETED_TYPE = "cx.signals.ticket.changed.v1", "cx.signals.ticket.deleted.v1"
_JSON = msgspec.json.Encoder(decimal_format="number")

Header = tuple[str, bytes]


class Outgoing(NamedTuple):
    """One record of one topic; value None: the ticket is gone."""

    topic: str
    key: bytes
    value: bytes | None
    headers: list[Header]


def columns_of(projections: Sequence[Projection]) -> tuple[str, ...]:
    """What has to be read so that every projection can be made."""
    return tuple(dict.fromkeys(name for projection in projections for name in projection.fields))


def outgoing(
    row: Mapping[str, Any], projections: Sequence[Projection], epoch: int, is_filling: bool = False
) -> Iterator[Outgoing]:
    """The records of one row of `queries.window_rows`. The same row makes the same records, however often it is sent."""
    key = record_key(row["source_system"], row["ticket_id"])
    place = sequence(epoch, int(row["landed_xid"]), row["rank"], row["kafka_offset"])
    values = None if row["rank"] == WITHDRAWN else _values(row)
    for projection in projections:
        value = None if values is None else _JSON.encode(projection.value(values))
        yield Outgoing(projection.topic, key, value, _headers(row, projection, place, is_filling))


def record_key(source_system: str, ticket_id: str) -> bytes:
    """The key of every record of a ticket, on every topic."""
    return _JSON.encode({"source_system": source_system, "ticket_id": ticket_id})


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    """Values as the contract has them: moments in UTC, numbers as numbers, the metrics as an object."""
    values: dict[str, Any] = {}
    for name, value in row.items():
        values[name] = value.astimezone(UTC) if isinstance(value, datetime) else value
    if "custom_metrics" in values:
        values["custom_metrics"] = msgspec.Raw(values["custom_metrics"].encode())
    return values


def _headers(row: Mapping[str, Any], projection: Projection, place: str, is_filling: bool) -> list[Header]:
    subject = f"{row['source_system']}/{row['ticket_id']}"
    is_end = row["rank"] == WITHDRAWN
    attributes = {
        "specversion": "1.0",
        "id": f"deleted:{subject}@{row['deleted_position']}" if is_end else row["idempotency_key"],
        "type": DELETED_TYPE if is_end else CHANGED_TYPE,
        "source": SOURCE,
        "subject": subject,
        "time": row["landed_at"].astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "sequence": place,
        **({} if is_end else {"version": str(row["version"])}),
        "dataschema": schema_name(projection),
        **({"filling": "true"} if is_filling else {}),
    }
    headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
    return headers if is_end else [*headers, ("content-type", b"application/json")]


def schema_name(projection: Projection) -> str:
    """The name of a projection's schema, its contract version included."""
    return f"urn:cx-signals:{projection.title}:{projection.version}"
