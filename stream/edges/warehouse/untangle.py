"""Writing the result of an untangling: versions come and go, lives end."""

from collections.abc import Callable, Iterable, Mapping

from sqlalchemy import Connection, text

from stream.core.lives import Candidate, Ticket
from stream.core.records import Change
from stream.core.tangles import Tombstone, Untangling
from stream.core.tickets import NewVersion
from stream.edges.warehouse.history import insert_versions, set_positions
from stream.edges.warehouse.literals import array_literal, numbers_literal
from stream.edges.warehouse.state import TICKETS, tickets_parameters

DELETE_VERSIONS = text("""
delete from landing.ticket_signal_versions where idempotency_key = any(cast(:keys as text[]))
""")

DISPLACED = text("""
select version.*, cast(version.custom_metrics as text) as metrics_text
from landing.ticket_signal_versions as version
where version.idempotency_key = any(cast(:keys as text[]))
""")

TOMBSTONES = text("""
insert into landing.deleted_tickets as known (source_system, ticket_id, deleted_position, deleted_at)
select source_system, ticket_id, position, timestamptz 'epoch' + moment * interval '1 microsecond'
from unnest(
    cast(:source_systems as text[]), cast(:ticket_ids as text[]), cast(:positions as numeric[]), cast(:moments as bigint[])
) as ended (source_system, ticket_id, position, moment)
on conflict (source_system, ticket_id) do update set
    deleted_position = excluded.deleted_position, deleted_at = excluded.deleted_at,
    landed_at = excluded.landed_at, landed_xid = excluded.landed_xid
where excluded.deleted_position > known.deleted_position
""")

# A ticket that lost every version to conflicts was never deleted: position 0 ends nothing, and tells readers it is gone.
VANISHED = text(f"""
insert into landing.deleted_tickets as known (source_system, ticket_id, deleted_position, deleted_at)
select source_system, ticket_id, 0, null
from {TICKETS}
where not exists (
    select from landing.ticket_signal_versions as version
    where version.source_system = asked.source_system and version.ticket_id = asked.ticket_id
)
on conflict (source_system, ticket_id) do update set landed_at = excluded.landed_at, landed_xid = excluded.landed_xid
""")

# Readers find what landed by the versions; a ticket whose latest is an older version again has none that just landed.
RESTATED = text(f"""
insert into landing.restated_tickets (source_system, ticket_id)
select source_system, ticket_id
from {TICKETS}
where exists (
    select from landing.ticket_signal_versions as version
    where version.source_system = asked.source_system and version.ticket_id = asked.ticket_id
)
on conflict (source_system, ticket_id) do update set landed_at = excluded.landed_at, landed_xid = excluded.landed_xid
""")


def displaced_rows(connection: Connection, displaced: Iterable[Candidate]) -> list[dict[str, object]]:
    """The full rows of versions that are about to lose their place; custom_metrics as text."""
    rows = connection.execute(DISPLACED, {"keys": array_literal(candidate.key for candidate in displaced)}).mappings()
    return [{**row, "custom_metrics": row["metrics_text"]} for row in rows]


def write_untangling(connection: Connection, untangling: Untangling, reread: Callable[[Candidate], Change]) -> None:
    """Write an untangling's versions and tombstones. `reread` gives the change a freed letter holds."""
    gone = [*untangling.displaced, *untangling.over]
    if gone:
        connection.execute(DELETE_VERSIONS, {"keys": array_literal(candidate.key for candidate in gone)})
    set_positions(connection, {candidate.key: candidate.positions for candidate in untangling.seen_again})
    freed = [NewVersion(reread(candidate), candidate.positions) for candidate in untangling.freed]
    insert_versions(connection, [*freed, *untangling.new])
    _write_tombstones(connection, untangling.tombstones)
    touched = {candidate.ticket for candidate in gone}
    if touched:
        connection.execute(RESTATED, tickets_parameters(touched))
        connection.execute(VANISHED, tickets_parameters(touched - set(untangling.tombstones)))


def _write_tombstones(connection: Connection, tombstones: Mapping[Ticket, Tombstone]) -> None:
    if tombstones:
        ordered = sorted(tombstones)
        values = {
            "positions": numbers_literal(tombstones[ticket].position for ticket in ordered),
            "moments": [tombstones[ticket].deleted_at for ticket in ordered],
        }
        connection.execute(TOMBSTONES, {**tickets_parameters(ordered), **values})
