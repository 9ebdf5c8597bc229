"""Dead letters in the warehouse: written, seen again, reopened, resolved and erased."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, text

from stream.core.letters import Letter, conflict_fingerprint
from stream.core.lives import Candidate, CandidateId, Ticket
from stream.core.records import RawRecord
from stream.edges.warehouse.literals import numbers_literal
from stream.edges.warehouse.query import cursor, read
from stream.edges.warehouse.state import TICKETS, tickets_parameters

_COLUMNS = [name for name in Letter.__struct_fields__ if name != "fresh"]
COLUMNS = ", ".join(_COLUMNS)

COPY = f"""copy pg_temp.staged_letters
({COLUMNS}, remedy, fresh, times_seen, first_seen_at, last_seen_at, status) from stdin"""

# Records read before (fresh = 0) change nothing: a replay of the topic leaves the letters as they are.
SEEN_AGAIN = text("""
update landing.dead_letters as letter set
    times_seen = letter.times_seen + staged.fresh,
    last_seen_at = clock_timestamp(),
    last_offset = greatest(letter.last_offset, staged.last_offset),
    source_positions = coalesce(staged.source_positions, letter.source_positions),
    detail = staged.detail, source_system = staged.source_system, ticket_id = staged.ticket_id,
    idempotency_key = staged.idempotency_key, version = staged.version, content_hash = staged.content_hash,
    record_key = staged.record_key, payload = staged.payload,
    status = case when letter.status = 'discarded' then letter.status else 'open' end
from pg_temp.staged_letters as staged
where
    letter.fingerprint = staged.fingerprint
    and (staged.fresh > 0 or (staged.reason = 'conflict' and letter.status in ('replayed', 'resolved', 'erased')))
""")

NEW = text(f"""
insert into landing.dead_letters ({COLUMNS}, remedy, times_seen)
select {COLUMNS}, remedy, greatest(fresh, 1) from pg_temp.staged_letters
on conflict (fingerprint) do nothing
returning fingerprint
""")

_ERASED = """
    status = 'erased', status_at = clock_timestamp(), status_reason = 'the ticket was deleted',
    detail = '', payload = null, record_key = null, idempotency_key = null, content_hash = null
"""

# A letter whose position is not known belongs to the ended life unless the ticket lives again.
ERASE = text(f"""
update landing.dead_letters as letter set {_ERASED}
from landing.deleted_tickets as ended
inner join {TICKETS} using (source_system, ticket_id)
where
    letter.source_system = ended.source_system
    and letter.ticket_id = ended.ticket_id
    and letter.status <> 'erased'
    and ended.deleted_position >= coalesce(
        (select max(position) from unnest(letter.source_positions) as position), ended.deleted_position
    )
""")

ERASE_CONFLICTS = text(f"""
update landing.dead_letters as letter set {_ERASED} where letter.fingerprint = any(:fingerprints)
""")

RESOLVE = text("""
update landing.dead_letters set
    status = 'resolved', status_at = clock_timestamp(), status_reason = 'what held its key or version is gone'
where fingerprint = any(:fingerprints)
""")

SET_POSITIONS = text("""
update landing.dead_letters as letter set source_positions = cast(:positions as numeric[]), last_seen_at = clock_timestamp(),
    times_seen = letter.times_seen + 1
where letter.fingerprint = :fingerprint
""")

PAYLOADS = text("""
select fingerprint, topic, kafka_partition, kafka_offset, record_key, payload
from landing.dead_letters where fingerprint = any(:fingerprints)
""")


class Unpublished(NamedTuple):
    """A dead letter that is not on the dead-letter topic yet."""

    dead_letter_id: int
    reason: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    payload: bytes | None


# A letter that was erased before it was sent has nothing left to say.
UNPUBLISHED = text("""
select dead_letter_id, reason, topic, kafka_partition, kafka_offset, record_key, payload
from landing.dead_letters
where published_at is null and status <> 'erased'
order by dead_letter_id
limit :most
""")

PUBLISHED = text("update landing.dead_letters set published_at = clock_timestamp() where dead_letter_id = any(:ids)")


def write_letters(connection: Connection, letters: Sequence[Letter]) -> list[Letter]:
    """Write letters; return those that were not there before. Payloads of ended lives are not kept."""
    if not letters:
        return []
    with cursor(connection) as own, own.copy(COPY) as copy:
        for letter in letters:
            values = [getattr(letter, name) for name in _COLUMNS]
            positions = letter.source_positions
            values[_COLUMNS.index("source_positions")] = None if positions is None else numbers_literal(positions)
            copy.write_row([*values, letter.remedy, letter.fresh, 1, "epoch", "epoch", "open"])
    connection.execute(SEEN_AGAIN)
    new = set(connection.scalars(NEW))
    erase_letters(connection, {(one.source_system, one.ticket_id) for one in letters if one.source_system and one.ticket_id})
    return [letter for letter in letters if letter.fingerprint in new]


def unpublished(connection: Connection, most: int) -> list[Unpublished]:
    """Letters that are not on the topic yet, oldest first."""
    return [Unpublished(*row) for row in read(connection, UNPUBLISHED, {"most": most})]


def payloads(connection: Connection, letters: Collection[Candidate]) -> dict[CandidateId, RawRecord]:
    """The records that conflict letters were made of."""
    if not letters:
        return {}
    by_fingerprint = {conflict_fingerprint(*letter.id): letter.id for letter in letters}
    rows = read(connection, PAYLOADS, {"fingerprints": list(by_fingerprint)})
    return {
        by_fingerprint[fingerprint]: RawRecord(topic, partition, offset, 0, key, payload)
        for fingerprint, topic, partition, offset, key, payload in rows
    }


def erase_letters(connection: Connection, tickets: Collection[Ticket]) -> None:
    """Take the payloads of ended lives out of the letters of these tickets."""
    if tickets:
        connection.execute(ERASE, tickets_parameters(tickets))


def erase_conflicts(connection: Connection, letters: Collection[Candidate]) -> None:
    """Erase conflict letters whose life is over."""
    if letters:
        connection.execute(ERASE_CONFLICTS, _fingerprints(letters))


def resolve_letters(connection: Connection, letters: Collection[Candidate]) -> None:
    """Close conflict letters whose content stands now."""
    if letters:
        connection.execute(RESOLVE, _fingerprints(letters))


def set_letter_positions(connection: Connection, letters: Iterable[Candidate]) -> None:
    """Remember further positions of open conflicts."""
    for letter in letters:
        fingerprint = conflict_fingerprint(*letter.id)
        connection.execute(SET_POSITIONS, {"fingerprint": fingerprint, "positions": numbers_literal(letter.positions)})


def _fingerprints(letters: Iterable[Candidate]) -> dict[str, list[bytes]]:
    return {"fingerprints": [conflict_fingerprint(*letter.id) for letter in letters]}
