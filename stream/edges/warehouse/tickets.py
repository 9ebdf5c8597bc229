"""The ticket signals of a batch: folded with what the warehouse knows, written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from sqlalchemy import Connection

from stream.core.accounting import Partition, is_fresh
from stream.core.batch import Batch
from stream.core.decode import decode
from stream.core.drift import DriftPolicy
from stream.core.letters import Letter, conflict_letter, displaced_letter
from stream.core.lives import Candidate
from stream.core.outcomes import Outcome
from stream.core.records import Change
from stream.core.tangles import Untangling, untangle
from stream.core.tickets import fold_tickets, signal_of, tangled_tickets, ticket_of
from stream.edges.warehouse import history, letters, state
from stream.edges.warehouse.untangle import displaced_rows, write_untangling
from stream.errors import Misconfigured


class TangledError(Exception):
    """The batch touches a tangle: its transaction has to start again, alone."""


@dataclass
class LandedTickets:
    """Outcomes by place in the batch, the letters of new conflicts, and the seconds spent deciding."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    conflicts: list[Letter] = field(default_factory=list)
    fold_seconds: float = 0.0


def land_tickets(
    connection: Connection, batch: Batch, offsets: Mapping[Partition, int], alone: bool, policy: DriftPolicy
) -> LandedTickets:
    """Write a batch's ticket signals. Raises TangledError when that needs the warehouse alone and has it not.

    A batch that is not alone stumbles on a key that stands elsewhere (UniqueViolation): it too has to start again, alone.
    """
    landed = LandedTickets()
    if not batch.tickets:
        return landed
    changes = batch.changes
    known = state.read_state(connection, [change for _, change in changes], exact=alone)
    started = perf_counter()
    tangled = tangled_tickets((one for _, one in batch.tickets), known)
    landed.fold_seconds = perf_counter() - started
    if tangled and not alone:
        raise TangledError
    if tangled:
        keys = {signal_of(change).idempotency_key for _, change in changes if ticket_of(change) in tangled}
        component = state.read_component(connection, tangled, keys, [change for _, change in changes])
        tangled = component.tickets
        result = untangle([one for one in batch.tickets if ticket_of(one[1]) in tangled], component)
        landed.outcomes.update(result.outcomes)
        landed.conflicts = _conflicts(connection, result, offsets, changes)
        _write(connection, result, policy)
    started = perf_counter()
    fold = fold_tickets([one for one in changes if ticket_of(one[1]) not in tangled], known)
    landed.fold_seconds += perf_counter() - started
    history.write_fold(connection, fold)
    landed.outcomes.update(fold.outcomes)
    return landed


def _conflicts(
    connection: Connection, result: Untangling, offsets: Mapping[Partition, int], changes: Sequence[tuple[int, Change]]
) -> list[Letter]:
    """The letters of what no longer or never stood."""
    displaced = {one.key: one.positions for one in result.displaced}
    topic = changes[0][1].record.topic if changes else ""
    rows = displaced_rows(connection, result.displaced) if displaced else []
    written = [displaced_letter(row, displaced[str(row["idempotency_key"])], topic) for row in rows]
    return written + [conflict_letter(one, int(is_fresh(one.change.record, offsets))) for one in result.conflicts]


def _write(connection: Connection, result: Untangling, policy: DriftPolicy) -> None:
    write_untangling(connection, result, _reader(connection, result, policy))
    letters.erase_letters(connection, result.tombstones)
    letters.erase_conflicts(connection, result.conflicts_over)
    letters.resolve_letters(connection, result.freed)
    letters.set_letter_positions(connection, result.conflicts_seen_again)


def _reader(connection: Connection, result: Untangling, policy: DriftPolicy) -> Callable[[Candidate], Change]:
    """A function that gives the change a freed letter's payload holds."""
    stored = letters.payloads(connection, result.freed)

    def reread(candidate: Candidate) -> Change:
        change = decode(stored[candidate.id], policy)
        if not isinstance(change, Change):
            raise Misconfigured(f"A dead letter of {candidate.ticket} stands again but breaks today's contract: discard it.")
        change.content_hash = candidate.content_hash
        return change

    return reread
