"""What the warehouse knows about a batch: of its tickets first, then of keys that may be known; by closure for the tangled."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, text

from stream.core.lives import Candidate, Ticket
from stream.core.records import Change
from stream.core.tangles import Component
from stream.core.tickets import TicketState, signal_of, ticket_of
from stream.edges.warehouse.literals import array_literal, numbers_literal
from stream.edges.warehouse.query import read

_TICKETS = "unnest(cast(:source_systems as text[]), cast(:ticket_ids as text[]))"
TICKETS = f"{_TICKETS} as asked (source_system, ticket_id)"

LATEST = text(f"""
select asked.place - 1, latest.version, ended.deleted_position
from {_TICKETS} with ordinality as asked (source_system, ticket_id, place)
left join lateral (
    select standing.version
    from landing.ticket_signal_versions as standing
    where standing.source_system = asked.source_system and standing.ticket_id = asked.ticket_id
    order by standing.version desc
    limit 1
) as latest on true
left join landing.deleted_tickets as ended
    on asked.source_system = ended.source_system and asked.ticket_id = ended.ticket_id
where latest.version is not null or ended.deleted_position is not null
""")

ASKED = """unnest(
    cast(:keys as text[]), cast(:source_systems as text[]), cast(:ticket_ids as text[]), cast(:versions as bigint[])
) with ordinality as asked (idempotency_key, source_system, ticket_id, version, place)"""

KNOWN = text(f"""
select
    asked.place - 1,
    known.content_hash,
    known.source_system,
    known.ticket_id,
    known.version,
    known.source_positions,
    holder.idempotency_key as held_by
from {ASKED}
left join landing.ticket_signal_versions as known on asked.idempotency_key = known.idempotency_key
left join lateral (
    select standing.idempotency_key
    from landing.ticket_signal_versions as standing
    where
        standing.source_system = asked.source_system
        and standing.ticket_id = asked.ticket_id
        and standing.version = asked.version
        and standing.idempotency_key <> asked.idempotency_key
    limit 1
) as holder on true
where known.version is not null or holder.idempotency_key is not null
""")

CONTESTED = text(f"""
select asked.source_system, asked.ticket_id
from {ASKED}
inner join landing.dead_letters as letter using (idempotency_key)
where letter.reason = 'conflict' and letter.status = 'open'
union
select asked.source_system, asked.ticket_id
from {ASKED}
inner join landing.dead_letters as letter using (source_system, ticket_id)
where letter.reason = 'conflict' and letter.status = 'open'
""")

ANY_CONFLICT = text("select exists (select from landing.dead_letters where reason = 'conflict' and status = 'open')")

# Two lookups rather than one `or`, which no index answers.
STANDING = text(f"""
select idempotency_key, content_hash, source_system, ticket_id, version, source_positions
from landing.ticket_signal_versions
where idempotency_key = any(cast(:keys as text[]))
union
select standing.idempotency_key, standing.content_hash, source_system, ticket_id, standing.version, standing.source_positions
from landing.ticket_signal_versions as standing
inner join {TICKETS} using (source_system, ticket_id)
""")

CONFLICTS = text(f"""
select idempotency_key, content_hash, source_system, ticket_id, version, source_positions
from landing.dead_letters
where reason = 'conflict' and status = 'open' and idempotency_key = any(cast(:keys as text[]))
union
select letter.idempotency_key, letter.content_hash, source_system, ticket_id, letter.version, letter.source_positions
from landing.dead_letters as letter
inner join {TICKETS} using (source_system, ticket_id)
where letter.reason = 'conflict' and letter.status = 'open'
""")

ENDED = text(f"""
select ended.source_system, ended.ticket_id, ended.deleted_position
from landing.deleted_tickets as ended
inner join {TICKETS} using (source_system, ticket_id)
""")


def read_state(connection: Connection, changes: Sequence[Change], exact: bool) -> TicketState:
    """What is known about these changes' keys and tickets.

    No version stands above a ticket's latest, so only changes at or below it are looked up. A key that stands under another
    ticket or a lower version goes unnoticed by that, unless `exact`: it cannot be written twice.
    """
    state = TicketState({}, {}, {}, {}, set())
    tickets = [ticket_of(change) for change in changes]
    for place, version, ended in read(connection, LATEST, _arrays(tickets)):
        ticket = tickets[place]
        if version is not None:
            state.latest[ticket] = version
        if ended is not None:
            state.ended[ticket] = int(ended)
    latest = state.latest
    asked = changes if exact else [one for one in changes if signal_of(one).version <= latest.get(ticket_of(one), 0)]
    if asked:
        _read_known(connection, asked, state)
    if connection.scalar(ANY_CONFLICT):
        state.contested = {(system, ticket_id) for system, ticket_id in read(connection, CONTESTED, _asked(changes))}
    return state


def _read_known(connection: Connection, changes: Sequence[Change], state: TicketState) -> None:
    """Add the versions that stand under these changes' keys, and those that hold their places under another key."""
    for place, content_hash, system, ticket_id, version, positions, held_by in read(connection, KNOWN, _asked(changes)):
        signal, ticket = signal_of(changes[place]), ticket_of(changes[place])
        if version is not None:
            key = signal.idempotency_key
            state.known[key] = Candidate(key, content_hash, (system, ticket_id), version, tuple(map(int, positions)))
        if held_by is not None:
            state.taken[ticket, signal.version] = held_by


def _asked(changes: Sequence[Change]) -> dict[str, object]:
    """Four parallel arrays for ASKED."""
    rows = [signal_of(change) for change in changes]
    return {
        "keys": array_literal([row.idempotency_key for row in rows]),
        "source_systems": array_literal([row.source_system for row in rows]),
        "ticket_ids": array_literal([row.ticket_id for row in rows]),
        "versions": numbers_literal([row.version for row in rows]),
    }


def read_component(connection: Connection, tickets: Collection[Ticket], keys: Collection[str], batch: list[Change]) -> Component:
    """Everything that shares a ticket or a key with the given ones, directly or through others, batch included."""
    component = Component({}, {}, {}, set(tickets))
    known_keys = set(keys)
    while True:
        size = len(component.tickets), len(known_keys)
        _grow_by_batch(component.tickets, known_keys, batch)
        parameters = {**tickets_parameters(component.tickets), "keys": array_literal(known_keys)}
        for query, found in ((STANDING, component.standing), (CONFLICTS, component.conflicts)):
            for key, content_hash, system, ticket_id, version, positions in read(connection, query, parameters):
                candidate = Candidate(key, content_hash, (system, ticket_id), version, tuple(map(int, positions)))
                found[candidate.id] = candidate
                component.tickets.add(candidate.ticket)
                known_keys.add(key)
        if size == (len(component.tickets), len(known_keys)):
            break
    for system, ticket_id, position in read(connection, ENDED, tickets_parameters(component.tickets)):
        component.ended[system, ticket_id] = int(position)
    return component


def _grow_by_batch(tickets: set[Ticket], keys: set[str], batch: list[Change]) -> None:
    for change in batch:
        ticket, key = ticket_of(change), signal_of(change).idempotency_key
        if ticket in tickets or key in keys:
            tickets.add(ticket)
            keys.add(key)


def tickets_parameters(tickets: Collection[Ticket]) -> dict[str, str]:
    """Two parallel arrays for TICKETS, in the order in which everybody locks."""
    return _arrays(sorted(tickets))


def _arrays(tickets: Sequence[Ticket]) -> dict[str, str]:
    return {
        "source_systems": array_literal([system for system, _ in tickets]),
        "ticket_ids": array_literal([ticket_id for _, ticket_id in tickets]),
    }
