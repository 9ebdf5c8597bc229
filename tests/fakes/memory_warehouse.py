"""A warehouse in memory: the same folds as the real edge, over dictionaries. Tests compare the two."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from stream.core.batch import Batch
from stream.core.lives import Candidate, CandidateId, Ticket
from stream.core.lookups import Standing, fold_lookups, lookup_key, standing_of
from stream.core.outcomes import Outcome
from stream.core.records import Change
from stream.core.tangles import Component, untangle
from stream.core.tickets import NewVersion, TicketState, fold_tickets, signal_of, tangled_tickets, ticket_of


@dataclass
class MemoryWarehouse:
    """What the landing tables hold, as far as the rules decide it."""

    standing: dict[CandidateId, Candidate] = field(default_factory=dict)
    conflicts: dict[CandidateId, Candidate] = field(default_factory=dict)
    ended: dict[Ticket, int] = field(default_factory=dict)
    lookups: dict[str, dict[str, Standing]] = field(default_factory=lambda: {"tag_taxonomy": {}, "accounts": {}})
    always_untangle: bool = False
    rows: dict[CandidateId, Change] = field(default_factory=dict)  # the change whose row was written

    @property
    def latest(self) -> dict[Ticket, CandidateId]:
        """The latest version of every living ticket."""
        newest: dict[Ticket, Candidate] = {}
        for one in self.standing.values():
            if one.ticket not in newest or newest[one.ticket].version < one.version:
                newest[one.ticket] = one
        return {ticket: one.id for ticket, one in newest.items()}

    def land(self, batch: Batch) -> dict[int, Outcome]:
        """Fold a batch in; one outcome per record."""
        outcomes = dict.fromkeys(batch.without_effect, Outcome.DUPLICATE)
        outcomes |= {place: Outcome.REJECTED for place, _ in batch.rejections}
        state = self._state(batch)
        events = [event for _, event in batch.tickets]
        tangled = {ticket_of(event) for event in events} if self.always_untangle else tangled_tickets(events, state)
        if tangled:
            component = self._component(tangled, batch)
            tangled = component.tickets
            result = untangle([one for one in batch.tickets if ticket_of(one[1]) in tangled], component)
            outcomes |= result.outcomes
            for candidate in (*result.displaced, *result.over):
                del self.standing[candidate.id]
            for candidate in (*result.freed, *result.conflicts_over):
                del self.conflicts[candidate.id]
            self.standing |= {one.id: one for one in (*result.seen_again, *result.freed, *map(candidate_of, result.new))}
            self.conflicts |= {one.id: one for one in (*result.displaced, *result.conflicts_seen_again)}
            self.conflicts |= {one.id: one for one in map(candidate_of, result.conflicts)}
            self.rows |= {candidate_of(one).id: one.change for one in (*result.new, *result.conflicts)}
            self.ended |= {ticket: tombstone.position for ticket, tombstone in result.tombstones.items()}
        simple = [(place, change) for place, change in batch.changes if ticket_of(change) not in tangled]
        fold = fold_tickets(simple, state)
        self.standing |= {one.id: one for one in map(candidate_of, fold.new.values())}
        self.rows |= {candidate_of(one).id: one.change for one in fold.new.values()}
        for key, positions in fold.seen_again.items():
            known = state.known[key]
            self.standing[known.id] = known._replace(positions=positions)
        for table, changes in batch.lookups.items():
            keys = [lookup_key(event) for _, event in changes]
            folded = fold_lookups(changes, {key: self.lookups[table][key] for key in keys if key in self.lookups[table]})
            self.lookups[table] |= {key: standing_of(event) for key, event in folded.latest.items()}
            outcomes |= folded.outcomes
        return outcomes | fold.outcomes

    def _state(self, batch: Batch) -> TicketState:
        changes = [change for _, change in batch.changes]
        keys = {signal_of(change).idempotency_key for change in changes}
        tickets = {ticket_of(change) for change in changes}
        known = {one.key: one for one in self.standing.values() if one.key in keys}
        taken = {
            (one.ticket, one.version): one.key
            for one in self.standing.values()
            for change in changes
            if (one.ticket, one.version) == (ticket_of(change), signal_of(change).version)
            and one.key != signal_of(change).idempotency_key
        }
        versions = {ticket: self.standing[identity].version for ticket, identity in self.latest.items() if ticket in tickets}
        ended = {ticket: position for ticket, position in self.ended.items() if ticket in tickets}
        contested = {one.ticket for one in self.conflicts.values()} & tickets
        open_keys = {one.key for one in self.conflicts.values()}
        contested |= {ticket_of(change) for change in changes if signal_of(change).idempotency_key in open_keys}
        return TicketState(known, taken, versions, ended, contested)

    def _component(self, tangled: set[Ticket], batch: Batch) -> Component:
        tickets = set(tangled)
        keys = {signal_of(change).idempotency_key for _, change in batch.changes if ticket_of(change) in tickets}
        while True:
            size = len(tickets), len(keys)
            pairs = [(ticket_of(change), signal_of(change).idempotency_key) for _, change in batch.changes]
            pairs += [(one.ticket, one.key) for one in (*self.standing.values(), *self.conflicts.values())]
            for ticket, key in pairs:
                if ticket in tickets or key in keys:
                    tickets.add(ticket)
                    keys.add(key)
            if size == (len(tickets), len(keys)):
                break
        return Component(
            _of(self.standing.values(), tickets),
            _of(self.conflicts.values(), tickets),
            {ticket: position for ticket, position in self.ended.items() if ticket in tickets},
            tickets,
        )


def _of(candidates: Iterable[Candidate], tickets: set[Ticket]) -> dict[CandidateId, Candidate]:
    return {one.id: one for one in candidates if one.ticket in tickets}


def candidate_of(version: NewVersion) -> Candidate:
    """The candidate a new version is."""
    change: Change = version.change
    signal = signal_of(change)
    return Candidate(signal.idempotency_key, change.content_hash, ticket_of(change), signal.version, version.positions)
