"""The SQL of the import, as text. Names are our own constants; values travel by COPY or as parameters."""

from collections.abc import Iterable

from connectors.imports import columns

SIGNALS = "enrichment.ticket_signals"
STAGED = ("ordinal", "wave", *columns.TICKET_COLUMNS)

CREATE_STAGE = f"""
create temp table if not exists import_stage on commit delete rows as
select 0::integer as ordinal, 0::integer as wave, {", ".join(columns.TICKET_COLUMNS)}
from {SIGNALS}
with no data
"""

# Without statistics the planner takes the stage for tiny, and compares every row with every other.
ANALYZE_STAGE = "analyze import_stage"

COPY_STAGE = f"copy import_stage ({', '.join(STAGED)}) from stdin"


def upsert_wave(compared: Iterable[str]) -> str:
    """Write the rows of wave `:wave` whose version is new; return one row per row that was not written.

    No identity comes twice in a wave, so every version is a change of its own in the log that Debezium reads.

    Args:
        compared: columns that decide whether a row of a stored version says the same.

    Result columns: ordinal; version (stored before, null when a concurrent writer was faster); same.
    """
    listed, compared = ", ".join(columns.TICKET_COLUMNS), tuple(compared)
    assigned = ", ".join(f"{name} = excluded.{name}" for name in columns.TICKET_COLUMNS)
    ours, theirs = (", ".join(f"{table}.{name}" for name in compared) for table in ("incoming", "stored"))
    return f"""
with incoming as (
    select * from import_stage where wave = :wave
),
written as (
    insert into {SIGNALS} as stored ({listed})
    select {listed} from incoming order by ordinal
    on conflict (source_system, ticket_id) do update set {assigned}, updated_at = clock_timestamp()
    where stored.version is null or excluded.version > stored.version
    returning source_system, ticket_id
)
select incoming.ordinal, stored.version, ({ours}) is not distinct from ({theirs}) as same
from incoming
left join written using (source_system, ticket_id)
left join {SIGNALS} as stored using (source_system, ticket_id)
where written.ticket_id is null
"""


def upsert_small(table: str, names: tuple[str, ...], overwrite: bool) -> str:
    """Upsert one row of a table whose first column is its key; touches nothing when the row says the same."""
    listed, bound = ", ".join(names), ", ".join(f":{name}" for name in names)
    rest = names[1:]
    assigned = ", ".join(f"{name} = excluded.{name}" for name in rest)
    differs = f"({', '.join(f'stored.{n}' for n in rest)}) is distinct from ({', '.join(f'excluded.{n}' for n in rest)})"
    action = f"do update set {assigned}, updated_at = clock_timestamp() where {differs}" if overwrite else "do nothing"
    return f"insert into enrichment.{table} as stored ({listed}) values ({bound}) on conflict ({names[0]}) {action}"
