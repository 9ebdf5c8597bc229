"""Scale-out: several workers on the partitions of one topic, and what one needs for other rates, from the measured cost."""

import os
from collections.abc import Iterator
from math import ceil

from ops.bench.backlog import fill
from ops.bench.drain import Drained
from ops.bench.events import TOPIC
from ops.bench.figures import Figure, Say, figures
from ops.bench.landing import ours_with
from ops.bench.sizes import Sizes
from ops.bench.stand import Stand, standing

NAME = "scale"
RATES = (1_000, 50_000, 1_000_000)  # events per second
BUSY = 0.7  # a core that is planned to do more has nothing left for a burst
EVENTS_PER_PARTITION = 10_000  # per second: half of what one worker's core lands, so that a partition is never the limit
EVENTS_PER_SLOT = 15_000  # per second: Debezium decodes one slot in one thread (14,000 to 22,000 seen)
BROKER_MB_PER_SECOND = 50.0  # of lz4 data in, each byte replicated three times and read twice: what a broker of 8 cores is given
COMPRESSED_BYTES = 250  # of an event of 1.1 kB, measured: lz4, batches of 900 kB


def run(sizes: Sizes, say: Say) -> Iterator[Figure]:
    """The same backlog with each number of workers, then the table."""
    drained: dict[int, Drained] = {}
    with standing("postgres", "kafka", gigabytes=5) as stand:
        last = fill(stand.stack.kafka_bootstrap, TOPIC, range(sizes.scale_events), sizes.scale_events // 2)
        for workers in sizes.scale_workers:
            before = _wal_bytes(stand)
            one = drained[workers] = ours_with(stand, workers, last, sizes.scale_events, group=f"scale-{workers}")
            wal_bytes = (_wal_bytes(stand) - before) / sizes.scale_events
            busy = sum(one.cpu.values()) / one.seconds
            values = {"events/s": one.rate, "CPU s per million": one.cpu_per_million(), "cores busy": busy}
            values["WAL bytes per event"] = wal_bytes
            yield from figures(NAME, f"{workers} worker{'s' * (workers > 1)} on {os.cpu_count()} cores", values)
            say(f"{workers} workers: {one.rate:,.0f} events/s")
    cheapest = min(drained.values(), key=lambda one: one.cpu_per_million())
    yield from needs(cheapest.cpu_per_million("reader"), cheapest.cpu_per_million("postgres"), wal_bytes)


def _wal_bytes(stand: Stand) -> float:
    with stand.warehouse() as warehouse:
        row = warehouse.execute("select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float").fetchone()
    return float(row[0]) if row else 0.0


def needs(worker_seconds: float, warehouse_seconds: float, wal_bytes: float) -> list[Figure]:
    """What so many events per second need, computed. Arguments: CPU seconds per million events, and WAL bytes per event."""
    found: list[Figure] = []
    for rate in RATES:
        workers = ceil(rate * worker_seconds / 1e6 / BUSY)
        values = {
            "connectors (a slot each)": ceil(rate / EVENTS_PER_SLOT),
            "workers (a core each)": workers,
            "partitions": max(12, workers, ceil(rate / EVENTS_PER_PARTITION)),
            "warehouse cores": ceil(rate * warehouse_seconds / 1e6 / BUSY),
            "warehouse WAL MB/s": rate * wal_bytes / 1e6,
            "brokers": max(3, ceil(rate * COMPRESSED_BYTES / 1e6 / BROKER_MB_PER_SECOND) + 1),
        }
        found += figures("scale-table", f"{rate:,} events/s", {name: float(value) for name, value in values.items()})
    return found
