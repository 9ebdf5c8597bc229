"""Dead letters: what is kept of a record that could not be applied."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from stream.core.contract.rows import TicketSignal
from stream.core.envelope import READ
from stream.core.positions import as_sequence
from stream.core.reasons import REMEDIES, Reason
from stream.core.records import Rejection
from stream.core.tickets import NewVersion, signal_of

SIGNALS_TABLE = "ticket_signals"
SIGNAL_FIELDS = frozenset(TicketSignal.__struct_fields__)


class Letter(Struct):
    """One distinct record that could not be applied. `fresh` counts its records that were not read before."""

    fingerprint: bytes
    table_name: str
    reason: Reason
    detail: str
    source_system: str | None
    ticket_id: str | None
    idempotency_key: str | None
    version: int | None
    content_hash: bytes | None
    source_positions: tuple[int, ...] | None
    topic: str
    kafka_partition: int
    kafka_offset: int
    last_offset: int
    record_key: bytes | None
    payload: bytes | None
    fresh: int

    @property
    def remedy(self) -> str:
        return REMEDIES[self.reason]


def rejection_letter(rejection: Rejection, fresh: bool) -> Letter:
    """The letter of a record that broke the contract."""
    record = rejection.record
    system, ticket_id = _ticket(rejection)
    return Letter(
        fingerprint=_digest(rejection.table, rejection.reason, record.key or b"", record.value or b""),
        table_name=rejection.table,
        reason=rejection.reason,
        detail=rejection.detail,
        source_system=system,
        ticket_id=ticket_id,
        idempotency_key=None,
        version=None,
        content_hash=None,
        source_positions=None if rejection.position is None else (rejection.position,),
        topic=record.topic,
        kafka_partition=record.partition,
        kafka_offset=record.offset,
        last_offset=record.offset,
        record_key=record.key,
        payload=record.value,
        fresh=int(fresh),
    )


def _ticket(rejection: Rejection) -> tuple[str | None, str | None]:
    if rejection.table == SIGNALS_TABLE and rejection.identity is not None:
        return rejection.identity[0], rejection.identity[1]
    return None, None


def conflict_letter(version: NewVersion, fresh: int) -> Letter:
    """The letter of a change whose key or version another content holds."""
    change, signal = version.change, signal_of(version.change)
    record = change.record
    return Letter(
        fingerprint=conflict_fingerprint(signal.idempotency_key, change.content_hash),
        table_name=SIGNALS_TABLE,
        reason=Reason.CONFLICT,
        detail=_conflict_detail(signal.idempotency_key, signal.version),
        source_system=signal.source_system,
        ticket_id=signal.ticket_id,
        idempotency_key=signal.idempotency_key,
        version=signal.version,
        content_hash=change.content_hash,
        source_positions=version.positions,
        topic=record.topic,
        kafka_partition=record.partition,
        kafka_offset=record.offset,
        last_offset=record.offset,
        record_key=record.key,
        payload=record.value,
        fresh=fresh,
    )


def displaced_letter(row: Mapping[str, Any], positions: tuple[int, ...], topic: str) -> Letter:
    """The letter of a version that stood until an earlier claim to its key or version arrived; its living positions."""
    return Letter(
        fingerprint=conflict_fingerprint(row["idempotency_key"], row["content_hash"]),
        table_name=SIGNALS_TABLE,
        reason=Reason.CONFLICT,
        detail=_conflict_detail(row["idempotency_key"], row["version"]),
        source_system=row["source_system"],
        ticket_id=row["ticket_id"],
        idempotency_key=row["idempotency_key"],
        version=row["version"],
        content_hash=row["content_hash"],
        source_positions=positions,
        topic=topic,
        kafka_partition=row["kafka_partition"],
        kafka_offset=row["kafka_offset"],
        last_offset=row["kafka_offset"],
        record_key=msgspec.json.encode({"source_system": row["source_system"], "ticket_id": row["ticket_id"]}),
        payload=envelope_around(row, positions[0]),
        fresh=0,
    )


def envelope_around(row: Mapping[str, Any], position: int) -> bytes:
    """A record value that decodes to the stored row again. `custom_metrics` must be JSON text."""
    after = {name: _plain(value) for name, value in row.items() if name in SIGNAL_FIELDS}
    source = {"sequence": as_sequence(position)}
    return msgspec.json.encode({"op": READ, "before": None, "after": after, "source": source})


def _plain(value: object) -> object:
    return str(value) if isinstance(value, UUID | Decimal) else value.isoformat() if isinstance(value, datetime) else value


def gather(letters: Iterable[Letter]) -> list[Letter]:
    """One letter per fingerprint: the first origin, the last offset, the fresh records together."""
    gathered: dict[bytes, Letter] = {}
    for letter in letters:
        first = gathered.setdefault(letter.fingerprint, letter)
        if first is not letter:
            first.fresh += letter.fresh
            first.last_offset = max(first.last_offset, letter.last_offset)
    return list(gathered.values())


def conflict_fingerprint(key: str, content_hash: bytes) -> bytes:
    """The same for every record with this content under this key."""
    return _digest(SIGNALS_TABLE, Reason.CONFLICT, key.encode(), content_hash)


def _conflict_detail(key: str, version: int) -> str:
    return f"another content holds key {key[:80]!r} or version {version}"


def _digest(table: str, reason: str, key: bytes, payload: bytes) -> bytes:
    digest = blake2b(digest_size=16)
    for part in (table.encode(), reason.encode(), key, payload):
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return digest.digest()
