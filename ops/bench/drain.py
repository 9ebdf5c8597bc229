"""Draining a backlog: wait until a reader has written the last event of every partition, and say what that cost."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from ops.bench.cost import Meter
from ops.bench.events import Event
from ops.bench.stand import Stand
from ops.stack.layout import StackError

PATIENCE_SECONDS = 600.0
LOOK_EVERY_SECONDS = 0.25  # a look costs PostgreSQL a third of a millisecond: at fifty a second it would be in the result


@dataclass(frozen=True)
class Drained:
    """Events written between the first commit seen and the last, and CPU seconds by process family: meanwhile, and in all.

    `in_all` begins with the readers' processes: it says what a restart on a backlog costs.
    """

    events: int
    total: int
    seconds: float
    cpu: dict[str, float]
    in_all: dict[str, float]

    @property
    def rate(self) -> float:
        return self.events / self.seconds

    def cpu_per_million(self, *names: str) -> float:
        """CPU seconds per million events once the reader reads, of some families or of all."""
        return sum(self.cpu[name] for name in names or self.cpu) / self.events * 1e6

    def in_all_per_million(self) -> float:
        """CPU seconds per million events, the readers' start included."""
        return sum(self.in_all.values()) / self.total * 1e6


def drain(stand: Stand, table: str, last: Sequence[Event], total: int, whole: Meter, *, written: str | None = None) -> Drained:
    """Watch `table` from the first event written to the last of each partition. `whole` began before the readers.

    Readers take each partition in order: when its last event is there, all of it is. `written` is a query that counts
    events; the rows of `table` unless given.
    """
    count = written or f"select count(*) from {table}"
    with stand.warehouse() as warehouse:
        stand.wait_until(lambda: _one(warehouse, count), 120, "the first row")
        meter, began = Meter(whole.roots), time.perf_counter()
        before = int(_one(warehouse, count))
        if before >= total:
            raise StackError(f"all {total:,} events were there at the first look: too few to measure anything")
        wanted = [[event.ticket_id for event in last], [event.version for event in last]]
        reached = f"""
            select count(*) = {len(last)}
            from unnest(%s::text[], %s::bigint[]) as wanted (ticket_id, version)
            inner join {table} as there
                on there.source_system = 'zendesk' and there.ticket_id = wanted.ticket_id and there.version >= wanted.version
        """
        stand.wait_until(lambda: _one(warehouse, reached, wanted), PATIENCE_SECONDS, "the end of the backlog", LOOK_EVERY_SECONDS)
        return Drained(total - before, total, time.perf_counter() - began, meter.read(), whole.read())


def _one(connection: psycopg.Connection[Any], query: str, parameters: Sequence[object] = ()) -> Any:
    row = connection.execute(query.encode(), parameters or None).fetchone()
    return row[0] if row else None
