"""Fold a batch of ticket signals into what the warehouse holds: the common case, in which nothing is tangled.

A ticket is tangled when it is deleted, when a key or a version is claimed by two contents, or when an open conflict
touches it. Those few go to `tangles`; the result for the others is the same as there, only quicker.
"""

from collections.abc import Iterable

from msgspec import Struct

from stream.core.contract.rows import TicketSignal
from stream.core.lives import Candidate, Ticket, with_position
from stream.core.outcomes import Outcome
from stream.core.records import Change, Deletion

TicketEvent = Change | Deletion


class TicketState(Struct):
    """What the warehouse knows about the keys and tickets of a batch."""

    known: dict[str, Candidate]  # standing versions that have one of the batch's keys
    taken: dict[tuple[Ticket, int], str]  # (ticket, version) of the batch that stand, and their keys
    latest: dict[Ticket, int]  # latest version of each ticket of the batch
    ended: dict[Ticket, int]  # position of the highest delete of each ticket of the batch
    contested: set[Ticket]  # tickets of the batch that an open conflict touches, by ticket or by key


class NewVersion(Struct, gc=False):
    """A version that joins the history."""

    change: Change
    positions: tuple[int, ...]


class Fold(Struct):
    """What to write, and how each event ended (by the event's place in the batch)."""

    outcomes: dict[int, Outcome]
    new: dict[str, NewVersion]
    seen_again: dict[str, tuple[int, ...]]  # key of a standing version: all its positions


def signal_of(change: Change) -> TicketSignal:
    """The row of a change of ticket_signals."""
    return change.row  # type: ignore[return-value]  # the caller divided the batch by table; a cast is a call


def ticket_of(event: TicketEvent) -> Ticket:
    """The ticket an event is about."""
    return event.identity  # type: ignore[return-value]


def tangled_tickets(events: Iterable[TicketEvent], state: TicketState) -> set[Ticket]:
    """The tickets whose events cannot be taken one by one."""
    tangled: set[Ticket] = set()
    first_of_key: dict[str, Change] = {}
    versions = dict(state.taken)
    for event in events:
        ticket = ticket_of(event)
        if isinstance(event, Deletion):
            tangled.add(ticket)
            continue
        signal = signal_of(event)
        key = signal.idempotency_key
        first = first_of_key.setdefault(key, event)
        if first is not event and first.content_hash != event.content_hash:
            tangled.update((ticket, ticket_of(first)))
        known = state.known.get(key)
        if known is not None and known.content_hash != event.content_hash:
            tangled.update((ticket, known.ticket))
        if versions.setdefault((ticket, signal.version), key) != key:
            tangled.add(ticket)
    return tangled | state.contested


def fold_tickets(events: Iterable[tuple[int, Change]], state: TicketState) -> Fold:
    """Fold untangled events, each with its place in the batch, in the order they were consumed."""
    fold = Fold({}, {}, {})
    latest = dict(state.latest)
    for place, change in events:
        ticket, key = ticket_of(change), signal_of(change).idempotency_key
        if change.position <= state.ended.get(ticket, -1):
            fold.outcomes[place] = Outcome.STALE
        elif key in fold.new or key in state.known:
            _see_again(change, key, state, fold)
            fold.outcomes[place] = Outcome.DUPLICATE
        else:
            fold.outcomes[place] = _join(change, key, latest, fold)
    return fold


def _join(change: Change, key: str, latest: dict[Ticket, int], fold: Fold) -> Outcome:
    """A new version joins the history, and becomes the latest unless a higher one is known."""
    ticket, version = ticket_of(change), signal_of(change).version
    fold.new[key] = NewVersion(change, (change.position,))
    if version < latest.get(ticket, 0):
        return Outcome.STALE
    latest[ticket] = version
    return Outcome.APPLIED


def _see_again(change: Change, key: str, state: TicketState, fold: Fold) -> None:
    """Remember where a repeat was seen."""
    if key in fold.new:
        new = fold.new[key]
        new.positions = with_position(new.positions, change.position)
        return
    before = fold.seen_again.get(key, state.known[key].positions)
    after = with_position(before, change.position)
    if after != before:
        fold.seen_again[key] = after
