"""What a new connection of the worker is told before its first use."""

from typing import Any

# Everything is looked up by key, of tables that only grow: left to itself the planner reads the whole history for a batch,
# or keeps a plan it made when the tables were small. Plans with forbidden parts look dear, hence no JIT.
PLANNING = (
    "set plan_cache_mode = force_custom_plan",
    "set enable_seqscan = off",
    "set enable_hashjoin = off",
    "set enable_mergejoin = off",
    "set jit = off",
)
TEMPORARY_TABLES = (
    "create temporary table staged_letters (like landing.dead_letters, fresh bigint) on commit delete rows",
    "alter table pg_temp.staged_letters alter column dead_letter_id drop not null",
)


def prepare(connection: Any) -> None:
    """Have a new connection (psycopg's) plan for lookups, and make its temporary tables."""
    with connection.cursor() as own:
        for statement in (*PLANNING, *TEMPORARY_TABLES):
            own.execute(statement)
    connection.commit()
