"""Writing versions and latest rows of untangled tickets from the staged batch."""

from collections.abc import Mapping

from sqlalchemy import Connection, text

from stream.core.tickets import Fold
from stream.edges.warehouse.staging import COLUMNS, STAGED, array_literal, numbers_literal
from stream.edges.warehouse.tables import SIGNAL_COLUMNS

_SET = ", ".join(f"{column} = excluded.{column}" for column in SIGNAL_COLUMNS if column not in {"source_system", "ticket_id"})

INSERT_VERSIONS = text(f"""
insert into landing.ticket_signal_versions ({COLUMNS})
select {STAGED} from pg_temp.staged where place = any(cast(:places as integer[]))
""")

# The guard keeps the latest the latest even when another transaction wrote a newer version in between.
UPSERT_LATEST = text(f"""
insert into landing.ticket_signals as latest ({COLUMNS})
select {STAGED} from pg_temp.staged where place = any(cast(:places as integer[]))
on conflict (source_system, ticket_id) do update set {_SET},
    landed_at = excluded.landed_at, landed_xid = excluded.landed_xid
where excluded.version > latest.version
""")

_NEW_POSITIONS = """(
    select key, cast(positions as numeric[]) as positions
    from unnest(cast(:keys as text[]), cast(:positions as text[])) as seen (key, positions)
) as seen"""

SET_POSITIONS = tuple(
    text(f"""
update landing.{table} as stored set source_positions = seen.positions
from {_NEW_POSITIONS}
where stored.idempotency_key = seen.key
""")
    for table in ("ticket_signal_versions", "ticket_signals")
)

STAGED_POSITIONS = text("""
update pg_temp.staged as stored set source_positions = cast(seen.positions as numeric[])
from unnest(cast(:places as integer[]), cast(:positions as text[])) as seen (place, positions)
where stored.place = seen.place
""")


def write_fold(connection: Connection, fold: Fold, places: Mapping[int, int]) -> None:
    """Write what untangled tickets' events add. `places` maps id(change) to its place in the batch."""
    insert_versions(connection, {places[id(new.change)]: new.positions for new in fold.new.values()})
    if fold.latest:
        latest = numbers_literal(places[id(fold.new[key].change)] for key in fold.latest.values())
        connection.execute(UPSERT_LATEST, {"places": latest})
    set_positions(connection, fold.seen_again)


def insert_versions(connection: Connection, positions: Mapping[int, tuple[int, ...]], always: bool = False) -> None:
    """Add staged rows to the history: their places, and the positions of each.

    A staged row carries its own position; `always` replaces it even by a single one.
    """
    repeated = {place: several for place, several in positions.items() if always or len(several) > 1}
    if repeated:
        values = {"places": numbers_literal(repeated), "positions": array_literal(map(numbers_literal, repeated.values()))}
        connection.execute(STAGED_POSITIONS, values)
    if positions:
        connection.execute(INSERT_VERSIONS, {"places": numbers_literal(positions)})


def set_positions(connection: Connection, positions: Mapping[str, tuple[int, ...]]) -> None:
    """Remember further positions of standing versions; readers see no change in it."""
    if positions:
        for statement in SET_POSITIONS:
            connection.execute(statement, positions_parameters(positions))


def positions_parameters(positions: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Two parallel arrays: keys, and each one's positions as the text of an array."""
    return {"keys": array_literal(positions), "positions": array_literal(map(numbers_literal, positions.values()))}
