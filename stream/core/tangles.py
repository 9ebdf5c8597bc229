"""Fold events of tangled tickets: resolve the whole component anew and say what differs from what the warehouse holds."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec import Struct

from stream.core.lives import Candidate, CandidateId, Resolution, Ticket, positions_after, resolve, with_position
from stream.core.outcomes import Outcome
from stream.core.records import Change, Deletion
from stream.core.tickets import NewVersion, TicketEvent, signal_of, ticket_of


class Tombstone(NamedTuple):
    """The end of a ticket's life."""

    position: int
    deleted_at: int | None  # microseconds since 1970


class Component(Struct):
    """Everything the warehouse holds about tickets that share keys, directly or through one another."""

    standing: dict[CandidateId, Candidate]
    conflicts: dict[CandidateId, Candidate]  # open conflict letters
    ended: dict[Ticket, int]
    tickets: set[Ticket]


class Untangling(Struct):
    """What to write, and how each event ended (by the event's place in the batch)."""

    outcomes: dict[int, Outcome]
    new: list[NewVersion]  # events that join the history
    freed: list[Candidate]  # conflict letters that return to the history
    displaced: list[Candidate]  # versions that become conflict letters
    over: list[Candidate]  # versions of ended lives: they go
    seen_again: list[Candidate]  # versions whose positions changed
    conflicts: list[NewVersion]  # events that become conflict letters
    conflicts_seen_again: list[Candidate]  # letters whose positions changed
    conflicts_over: list[Candidate]  # letters of ended lives: erased
    tombstones: dict[Ticket, Tombstone]


def untangle(events: list[tuple[int, TicketEvent]], component: Component) -> Untangling:
    """Resolve a component together with the batch's events about it."""
    tombstones = _tombstones(events, component.ended)
    ended = {**component.ended, **{ticket: tombstone.position for ticket, tombstone in tombstones.items()}}
    before = {**component.standing, **component.conflicts}
    living = _living(before, ended)
    after, changes = _with_events(living, events, ended)
    over = {one: known for one, known in before.items() if one not in living}
    resolution = resolve(after.values(), ended)._replace(over=over)
    outcomes = _outcomes(events, component, ended, resolution)
    return _difference(component, resolution, changes, tombstones, outcomes)


def _living(candidates: Mapping[CandidateId, Candidate], ended: Mapping[Ticket, int]) -> dict[CandidateId, Candidate]:
    """Those that some event of the present life made. One whose life is over goes, even when its content is written anew."""
    return {one: known for one, known in candidates.items() if positions_after(known.positions, ended.get(known.ticket, -1))}


def _tombstones(events: Iterable[tuple[int, TicketEvent]], ended: Mapping[Ticket, int]) -> dict[Ticket, Tombstone]:
    """The highest delete of each ticket, where it is news."""
    tombstones: dict[Ticket, Tombstone] = {}
    for _, event in events:
        if isinstance(event, Deletion):
            ticket = ticket_of(event)
            known = tombstones[ticket].position if ticket in tombstones else ended.get(ticket, -1)
            if event.position > known:
                tombstones[ticket] = Tombstone(event.position, event.deleted_at)
    return tombstones


def _with_events(
    before: Mapping[CandidateId, Candidate], events: Iterable[tuple[int, TicketEvent]], ended: Mapping[Ticket, int]
) -> tuple[dict[CandidateId, Candidate], dict[CandidateId, Change]]:
    """The candidates with the living events added, and the change that first brought each new one."""
    after, changes = dict(before), dict[CandidateId, Change]()
    for _, event in events:
        if isinstance(event, Deletion) or event.position <= ended.get(ticket_of(event), -1):
            continue
        signal = signal_of(event)
        identity = (signal.idempotency_key, event.content_hash)
        known = after.get(identity)
        if known is None:
            after[identity] = Candidate(*identity, ticket_of(event), signal.version, (event.position,))
            changes[identity] = event
        else:
            after[identity] = known._replace(positions=with_position(known.positions, event.position))
    return after, changes


def _outcomes(
    events: Iterable[tuple[int, TicketEvent]],
    component: Component,
    ended: Mapping[Ticket, int],
    resolution: Resolution,
) -> dict[int, Outcome]:
    """One outcome per event, judged against the state after the batch, in the order of the batch."""
    outcomes: dict[int, Outcome] = {}
    seen = set(_living(component.standing, ended))
    known = seen | _living(component.conflicts, ended).keys()
    latest: dict[Ticket, int] = {}
    for candidate in resolution.standing.values():
        if candidate.id in known:
            latest[candidate.ticket] = max(candidate.version, latest.get(candidate.ticket, 0))
    ends = dict(component.ended)
    for place, event in events:
        ticket = ticket_of(event)
        if isinstance(event, Deletion):
            outcomes[place] = _deletion_outcome(event.position, ends.get(ticket, -1))
            ends[ticket] = max(event.position, ends.get(ticket, -1))
        elif event.position <= ended.get(ticket, -1):
            outcomes[place] = Outcome.STALE
        else:
            outcomes[place] = _change_outcome(event, resolution, seen, latest)
    return outcomes


def _deletion_outcome(position: int, end: int) -> Outcome:
    if position == end:
        return Outcome.DUPLICATE
    return Outcome.DELETED if position > end else Outcome.STALE


def _change_outcome(change: Change, resolution: Resolution, seen: set[CandidateId], latest: dict[Ticket, int]) -> Outcome:
    signal = signal_of(change)
    identity = (signal.idempotency_key, change.content_hash)
    if identity in resolution.conflicts:
        return Outcome.CONFLICT
    if identity in seen:
        return Outcome.DUPLICATE
    seen.add(identity)
    if signal.version < latest.get(ticket_of(change), 0):
        return Outcome.STALE
    latest[ticket_of(change)] = signal.version
    return Outcome.APPLIED


def _difference(
    component: Component,
    resolution: Resolution,
    changes: Mapping[CandidateId, Change],
    tombstones: dict[Ticket, Tombstone],
    outcomes: dict[int, Outcome],
) -> Untangling:
    stands, conflicts, over = resolution
    stood = {one: known for one, known in component.standing.items() if one not in over}
    contested = {one: known for one, known in component.conflicts.items() if one not in over}
    return Untangling(
        outcomes=outcomes,
        new=[NewVersion(changes[one], stands[one].positions) for one in stands if one in changes],
        freed=[stands[one] for one in stands if one in contested],
        displaced=[conflicts[one] for one in conflicts if one in stood],
        over=[over[one] for one in over if one in component.standing],
        seen_again=[stands[one] for one in stands if one in stood and stands[one] != stood[one]],
        conflicts=[NewVersion(changes[one], conflicts[one].positions) for one in conflicts if one in changes],
        conflicts_seen_again=[conflicts[one] for one in conflicts if one in contested and conflicts[one] != contested[one]],
        conflicts_over=[over[one] for one in over if one in component.conflicts],
        tombstones=tombstones,
    )
