"""Rules 2 to 5: which versions of which tickets stand, as a function of the set of events alone.

A candidate is one content under one idempotency key, with every source position it was seen at. Deletes end lives:
positions at or before the ticket's highest delete are over. What remains stands in the order of its lowest position,
unless its key (which names one version of one ticket) or its (ticket, version) is taken: then it is a conflict.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

Ticket = tuple[str, str]  # source_system, ticket_id
CandidateId = tuple[str, bytes]  # idempotency key, content hash


class Candidate(NamedTuple):
    """One content under one key. `positions` are ascending and distinct."""

    key: str
    content_hash: bytes
    ticket: Ticket
    version: int
    positions: tuple[int, ...]

    @property
    def id(self) -> CandidateId:
        return self.key, self.content_hash


class Resolution(NamedTuple):
    """Every candidate in exactly one of three places, its positions of ended lives taken off."""

    standing: dict[CandidateId, Candidate]
    conflicts: dict[CandidateId, Candidate]
    over: dict[CandidateId, Candidate]


def resolve(candidates: Iterable[Candidate], ended: Mapping[Ticket, int]) -> Resolution:
    """Say what stands. `ended` holds the position of each ticket's highest delete."""
    resolution = Resolution({}, {}, {})
    living: list[Candidate] = []
    for candidate in candidates:
        positions = positions_after(candidate.positions, ended.get(candidate.ticket, -1))
        if positions:
            living.append(candidate._replace(positions=positions))
        else:
            resolution.over[candidate.id] = candidate
    keys: set[str] = set()
    versions: set[tuple[Ticket, int]] = set()
    for candidate in sorted(living, key=lambda one: (one.positions[0], one.content_hash, one.key)):
        taken = candidate.key in keys or (candidate.ticket, candidate.version) in versions
        (resolution.conflicts if taken else resolution.standing)[candidate.id] = candidate
        if not taken:
            keys.add(candidate.key)
            versions.add((candidate.ticket, candidate.version))
    return resolution


def positions_after(positions: tuple[int, ...], end: int) -> tuple[int, ...]:
    """The positions of the present life."""
    return positions if not positions or positions[0] > end else tuple(position for position in positions if position > end)


def with_position(positions: tuple[int, ...], position: int) -> tuple[int, ...]:
    """The positions with one more, still ascending and distinct."""
    if position in positions:
        return positions
    return (*positions, position) if position > positions[-1] else tuple(sorted((*positions, position)))
