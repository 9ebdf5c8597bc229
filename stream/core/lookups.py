"""The taxonomy and the accounts: the latest state of a row is the one with the highest (position, content hash)."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec.structs import astuple

from stream.core.outcomes import Outcome
from stream.core.records import Change, Deletion

DELETED_HASH = b""


class Standing(NamedTuple):
    """What is known of one row."""

    position: int
    content_hash: bytes


class LookupFold(NamedTuple):
    """The events that became the latest of their row, and how each event ended (by its place in the batch)."""

    outcomes: dict[int, Outcome]
    latest: dict[str, Change | Deletion]


def fold_lookups(events: Iterable[tuple[int, Change | Deletion]], known: Mapping[str, Standing]) -> LookupFold:
    """Fold one table's events, in the order they were consumed, into what is known of their rows."""
    fold = LookupFold({}, {})
    state = dict(known)
    for place, event in events:
        key, standing = lookup_key(event), standing_of(event)
        before = state.get(key)
        if before is None or standing > before:
            state[key] = standing
            fold.latest[key] = event
        fold.outcomes[place] = _outcome(event, standing, before)
    return fold


def lookup_key(event: Change | Deletion) -> str:
    """The one text that identifies a row of the taxonomy or an account."""
    return event.identity[0]


def lookup_values(event: Change | Deletion, columns: int) -> tuple[object, ...]:
    """The row's values in the order of the contract; nothing but the identity once it is deleted."""
    return astuple(event.row) if isinstance(event, Change) else (event.identity[0], *[None] * (columns - 1))


def standing_of(event: Change | Deletion) -> Standing:
    """Where the event stands; a delete has no content."""
    return Standing(event.position, event.content_hash if isinstance(event, Change) else DELETED_HASH)


def _outcome(event: Change | Deletion, standing: Standing, before: Standing | None) -> Outcome:
    if before is not None and standing.content_hash == before.content_hash:
        return Outcome.DUPLICATE if standing.position >= before.position else Outcome.STALE
    if before is not None and standing < before:
        return Outcome.STALE
    return Outcome.DELETED if isinstance(event, Deletion) else Outcome.APPLIED
