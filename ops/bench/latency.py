"""The whole way: from a commit in the store to the row in landing and in the marts, beside logical replication.

Every moment is a commit time that PostgreSQL kept (`track_commit_timestamp`; the replica's a trigger's clock): nothing is
polled, and all databases share one clock.
"""

import time
from collections.abc import Iterator
from typing import Any

import psycopg

from connectors.simulation.writer import UPSERT_SIGNAL
from ops.bench import events, replica
from ops.bench.figures import Figure, Say, figures, percentiles
from ops.bench.sizes import Sizes
from ops.bench.stand import Stand, standing

NAME = "latency"
COMMITS_PER_SECOND = 200  # a faster rate writes several events per transaction, as an enrichment worker would
GOALS = {("landing", 200): {"p99 ms": "< 250"}, ("marts", 200): {"p95 ms": "< 5,000"}}

LANDED = """
select extract(epoch from pg_xact_commit_timestamp(landed_xid::xid) - store_committed_at)::float
from landing.ticket_signal_versions where source_system = %s
"""
PUBLISHED = """
select extract(epoch from pg_xact_commit_timestamp(publication.xmin) - version.store_committed_at)::float
from landing.ticket_signal_versions as version
cross join lateral (
    select publications.xmin from marts.publications
    where pg_visible_in_snapshot(version.landed_xid, publications.to_snapshot)
    order by publications.id
    limit 1
) as publication
where version.source_system = %s
"""
REPLICATED = """
select ticket_id, extract(epoch from applied_at)::float from enrichment.ticket_signals where source_system = %s
"""
COMMITTED = """
select ticket_id, extract(epoch from pg_xact_commit_timestamp(xmin))::float
from enrichment.ticket_signals where source_system = %s
"""


def run(sizes: Sizes, say: Say) -> Iterator[Figure]:
    """Each rate in turn, all three ways at once: they see the same events."""
    with standing("postgres", "kafka", "connect", "worker", "publisher") as stand:
        replica.subscribe(stand, copy_data=False)
        write(stand, "warmup", 50, 5)
        _await_marts(stand, "warmup", 250)
        for rate in sizes.latency_rates:
            source = f"rate-{rate}"
            written = write(stand, source, rate, sizes.latency_seconds)
            _await_marts(stand, source, written)
            for way, seconds in ways(stand, source).items():
                values = percentiles(seconds, "ms")
                yield from figures(NAME, f"{rate}/s, {way}", {"events": float(len(seconds)), **values}, GOALS.get((way, rate)))
                say(f"{rate} events/s, {way}: {', '.join(f'{name} {value:,.0f}' for name, value in values.items())}")


def write(stand: Stand, source: str, rate: float, seconds: float) -> int:
    """Write new tickets at this rate, each commit at its time; how many."""
    each = max(1, round(rate / COMMITS_PER_SECOND))
    commits = round(rate * seconds / each)
    with stand.store() as store:
        began = time.perf_counter()
        for number in range(commits):
            time.sleep(max(0.0, began + number * each / rate - time.perf_counter()))
            with store.transaction(), store.pipeline(), store.cursor() as cursor:
                for ticket in range(number * each, (number + 1) * each):
                    cursor.execute(UPSERT_SIGNAL, _parameters(source, ticket))
    return commits * each


def ways(stand: Stand, source: str) -> dict[str, list[float]]:
    """Seconds from the commit in the store, for every event, by the way it went."""
    with stand.warehouse() as warehouse, stand.store() as store, replica.connect(stand) as copy:
        committed = dict(store.execute(COMMITTED, [source]).fetchall())
        return {
            "landing": _column(warehouse, LANDED, source),
            "marts": _column(warehouse, PUBLISHED, source),
            "logical replication": [at - committed[ticket] for ticket, at in copy.execute(REPLICATED, [source])],
        }


def _parameters(source: str, number: int) -> tuple[object, ...]:
    row = events.row(number, 1_000_000_000)
    row |= {"source_system": source, "occurred_at": "now", "idempotency_key": f"{source}:{number}:1"}
    return tuple(value for name, value in row.items() if name != "updated_at")


def _await_marts(stand: Stand, source: str, written: int) -> None:
    """Wait until everything written under this name is in the marts."""
    with stand.warehouse() as warehouse:
        stand.wait_until(lambda: len(_column(warehouse, LANDED, source)) >= written, 120, f"{source} landing")
        stand.wait_until(lambda: len(_column(warehouse, PUBLISHED, source)) >= written, 180, f"{source} being published")


def _column(connection: psycopg.Connection[Any], query: str, source: str) -> list[float]:
    return [row[0] for row in connection.execute(query.encode(), [source])]
