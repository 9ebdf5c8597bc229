"""Ask for a backfill: count its rows, remember it in ops.backfills, send the signal. Asked twice, it is asked once."""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from ops.backfill import signals
from ops.reconcile.mapped import quoted
from ops.reconcile.relations import Relation

RUNNING = """
select backfill_id, rows_expected, start_offsets
from ops.backfills
where table_name = %s and row_filter = %s and state <> 'finished'
order by requested_at desc
limit 1
"""
INSERT = """
insert into ops.backfills (backfill_id, table_name, row_filter, rows_expected, start_offsets) values (%s, %s, %s, %s, %s)
"""
UPDATE = """
update ops.backfills set rows_landed = %(landed)s, updated_at = clock_timestamp(),
    state = case when %(finished)s then 'finished' else state end,
    finished_at = case when %(finished)s then clock_timestamp() end
where backfill_id = %(id)s
"""
RECENT = """
select backfill_id, table_name, row_filter, state, rows_expected, rows_landed, requested_at, finished_at
from ops.backfills
order by requested_at desc
limit 10
"""
PAUSED = "select 1 from ops.backfills where state = 'paused' limit 1"


class BadFilter(Exception):
    """The store does not understand the filter; the message is the store's."""


@dataclass(frozen=True)
class Backfill:
    """One requested backfill. `start_offsets` are the ends of the topic's partitions when it was asked for."""

    backfill_id: str
    table: str
    row_filter: str
    expected: int
    start_offsets: dict[int, int]
    is_new: bool
    collection: str  # the store's table, schema.table

    @property
    def topic(self) -> str:
        return f"cx.enrichment.{self.table}"


def count_rows(store: psycopg.Connection[Any], collection: str, row_filter: str) -> int:
    """How many rows of a table the filter takes, counted by the store without writing. Raises BadFilter."""
    condition = f"({row_filter})".replace("%", "%%") if row_filter else "true"
    query = f"select count(*) from {quoted(collection)} where {condition} and %s"
    try:
        with store.transaction():
            store.execute("set transaction read only")
            # A parameter makes it one statement: nothing can follow a semicolon.
            row = store.execute(query.encode(), [True]).fetchone()
    except (psycopg.ProgrammingError, psycopg.DataError, psycopg.errors.ReadOnlySqlTransaction) as error:
        raise BadFilter(str(error).splitlines()[0]) from error
    return int(row[0]) if row else 0


def find_or_ask(
    store: psycopg.Connection[Any], warehouse: psycopg.Connection[Any], relation: Relation, row_filter: str, ends: dict[int, int]
) -> Backfill:
    """The unfinished backfill of the same rows, or a new one, its signal sent."""
    table, collection = relation.table, relation.store
    known = warehouse.execute(RUNNING, [table, row_filter]).fetchone()
    if known:
        offsets = {int(partition): offset for partition, offset in known[2].items()}
        return Backfill(known[0], table, row_filter, known[1], offsets, False, collection)
    expected = count_rows(store, collection, row_filter)
    backfill_id = signals.new_id()
    new = Backfill(backfill_id, table, row_filter, expected, ends, True, collection)
    # Written down first: a signal that nobody remembers would run unseen; a remembered one without a signal is asked again.
    warehouse.execute(INSERT, [backfill_id, table, row_filter, expected, Jsonb(ends)])
    if expected:
        signals.send(store, signals.execute_snapshot(collection, row_filter), backfill_id)
    return new


def remember(warehouse: psycopg.Connection[Any], backfill: Backfill, landed: int, finished: bool) -> None:
    """Write the progress down."""
    warehouse.execute(UPDATE, {"id": backfill.backfill_id, "landed": landed, "finished": finished})


def recent(warehouse: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    """The last ten backfills, newest first."""
    cursor = warehouse.execute(RECENT)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def hold(store: psycopg.Connection[Any], warehouse: psycopg.Connection[Any], paused: bool) -> int:
    """Pause or resume what runs; return how many backfills that concerns."""
    before, after = ("running", "paused") if paused else ("paused", "running")
    signals.send(store, signals.pause() if paused else signals.resume())
    return warehouse.execute(
        "update ops.backfills set state = %s, updated_at = clock_timestamp() where state = %s", [after, before]
    ).rowcount


def pause_again(store_url: str, warehouse_url: str) -> None:
    """Say pause once more when that was people's last word: Debezium 3.7 forgets it at a restart (DBZ-8384).

    To be called before the restart: the signal waits in the store's log, and at most one chunk is read before it.
    """
    with psycopg.connect(warehouse_url, connect_timeout=5) as warehouse:
        if not warehouse.execute(PAUSED).fetchone():
            return
    with psycopg.connect(store_url, autocommit=True, connect_timeout=5) as store:
        signals.send(store, signals.pause())
