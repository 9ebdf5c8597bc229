"""Replay: a dead letter's record goes through the stream's own rules again, as a redelivery of where it was first read.

Decoding, outcomes, locks and accounting are the stream's. The record keeps its topic, partition, offset and source
position, so a replay after a newer version is stale and a second one is a duplicate (F15); the audit row and the
letter's new status are written in the transaction that holds the effect.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sqlalchemy import Connection

from ops.dead_letters.audit import Done, Who, write
from ops.dead_letters.edits import Assignment, BadEdit, Edit, edit
from ops.dead_letters.reading import Letter
from stream.core.batch import Batch, divide
from stream.core.decode import decode
from stream.core.drift import DriftPolicy
from stream.core.outcomes import Outcome
from stream.core.records import Change, Decoded, Deletion, RawRecord, Rejection
from stream.edges.warehouse.landing import Landed
from stream.edges.warehouse.letters import erase_letters
from stream.errors import RefusedRecord

SETTLED = frozenset({Outcome.APPLIED, Outcome.DUPLICATE, Outcome.STALE, Outcome.DELETED})
REJECTED, ERASED = "rejected", "erased"
GONE = "its ticket was deleted and its record with it: there is nothing left to replay"


class Warehouse(Protocol):
    """The stream's edge, and transactions beside it. Both raise the stream's errors."""

    def land(self, batch: Batch, beside: Callable[[Connection, Landed], None]) -> object: ...

    def transact(self, work: Callable[[Connection], None]) -> None: ...


@dataclass(frozen=True)
class Prepared:
    """A letter's record after its edits, decoded."""

    letter: Letter
    decoded: Decoded
    edits: Sequence[Edit] = ()


def replay(
    letters: Sequence[Letter], assignments: Sequence[Assignment], who: Who, warehouse: Warehouse, policy: DriftPolicy
) -> list[Done]:
    """Send these letters through the rules again; one result per letter, each audited. Raises Unavailable or Misconfigured."""
    ready, over = [], list[Done]()
    for letter in letters:
        one = prepare(letter, assignments, policy)
        if isinstance(one, Prepared):
            ready.append(one)
        else:
            over.append(one)
    audited = [one for one in over if one.outcome != ERASED]
    if audited:
        warehouse.transact(lambda connection: write(connection, "replay", who, audited))
    done = {one.dead_letter_id: one for one in [*over, *_land(ready, who, warehouse)]}
    return [done[letter.dead_letter_id] for letter in letters]


def prepare(letter: Letter, assignments: Sequence[Assignment], policy: DriftPolicy) -> Prepared | Done:
    """The letter's record as the rules see it today, or why it cannot be replayed."""
    if letter.status == ERASED or letter.payload is None:
        return Done(letter.dead_letter_id, letter.reason, ERASED, GONE)
    try:
        payload, edits = edit(letter.payload, letter.table_name, assignments)
    except BadEdit as error:
        return Done(letter.dead_letter_id, letter.reason, REJECTED, str(error))
    record = RawRecord(letter.topic, letter.kafka_partition, letter.kafka_offset, 0, letter.record_key, payload)
    decoded = decode(record, policy)
    if isinstance(decoded, Rejection):
        return Done(letter.dead_letter_id, letter.reason, REJECTED, f"{decoded.reason}: {decoded.detail}", edits)
    return Prepared(letter, decoded, edits)


def expectation(letter: Letter, policy: DriftPolicy) -> str:
    """What the contract of today says of the record, in a few words."""
    one = prepare(letter, (), policy)
    return "keeps the contract" if isinstance(one, Prepared) else f"{one.outcome}: {one.detail}"


def _land(ready: Sequence[Prepared], who: Who, warehouse: Warehouse) -> Iterator[Done]:
    """Land a batch in one transaction; one that the database refuses is found by halving."""
    if not ready:
        return
    done: list[Done] = []

    def beside(connection: Connection, landed: Landed) -> None:
        done.extend(_done(one, landed.outcomes[place]) for place, one in enumerate(ready))
        write(connection, "replay", who, done)
        learned = {(system, ticket) for system, ticket in (one.ticket for one in done) if system and ticket}
        erase_letters(connection, learned)

    try:
        warehouse.land(divide(one.decoded for one in ready), beside)
    except RefusedRecord as error:
        if len(ready) > 1:
            half = len(ready) // 2
            yield from _land(ready[:half], who, warehouse)
            yield from _land(ready[half:], who, warehouse)
            return
        done = [replace(_done(ready[0], Outcome.REJECTED), detail=str(error))]
        warehouse.transact(lambda connection: write(connection, "replay", who, done))
    yield from done


def _done(one: Prepared, outcome: Outcome) -> Done:
    decoded, letter = one.decoded, one.letter
    ticket: tuple[str, str] | tuple[None, None] = (None, None)
    position = None
    if isinstance(decoded, Change | Deletion) and decoded.table == "ticket_signals":
        ticket, position = (decoded.identity[0], decoded.identity[1]), decoded.position
    status = "replayed" if outcome in SETTLED else None
    detail = "another content holds its key or version" if outcome is Outcome.CONFLICT else ""
    return Done(letter.dead_letter_id, letter.reason, outcome.value, detail, one.edits, status, ticket, position)
