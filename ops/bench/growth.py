"""Growth: what landing, publishing and reconciling cost when the warehouse already holds many tickets."""

import statistics
from collections.abc import Iterator

from ops.bench import cost
from ops.bench.backlog import fill
from ops.bench.drain import drain
from ops.bench.events import TOPIC
from ops.bench.figures import Figure, Say, figures
from ops.bench.history import fill_landing, fill_store
from ops.bench.publishing import cycle, first_build
from ops.bench.sizes import Sizes
from ops.bench.stand import Stand, standing
from ops.bench.timed import cx

NAME = "growth"
CHANGES = 1_000  # tickets enriched again before each publish cycle that is measured
CYCLES = 3
READ = "select coalesce(sum(next_offset - first_offset), 0) from landing.consumed_records"


def run(sizes: Sizes, say: Say) -> Iterator[Figure]:
    """Each size on a stand of its own."""
    for tickets in sizes.growth_tickets:
        with standing("postgres", "kafka", gigabytes=4 + tickets / 1e5) as stand:
            versions = fill_landing(stand, tickets, sizes.growth_versions)
            say(f"{tickets:,} tickets with {versions:,} versions are there")
            values = {
                "versions": float(versions),
                "landing CPU s per million": _landing(stand, tickets, spread(tickets, sizes.growth_events)),
                "landing CPU s per million, newest tickets": _landing(stand, tickets, newest(tickets, sizes.growth_events)),
                "worker MB": cost.resident_megabytes(stand.pids("worker")["worker"]),
            }
            if tickets <= sizes.publish_up_to:
                values |= _publishing(stand, tickets) | _reconciling(stand, tickets)
        yield from figures(NAME, f"{tickets:,} tickets", values)
        say(", ".join(f"{name} {value:.1f}" for name, value in values.items()))


def spread(tickets: int, events: int) -> range:
    """Version 21, newer than any that is there, of tickets all over the history: every event touches pages of its own."""
    step = max(1, tickets // events)
    return range(20 * tickets, 20 * tickets + tickets // step * step, step)


def newest(tickets: int, events: int) -> range:
    """Version 26 of the tickets that were made last: what a support desk works on."""
    return range(26 * tickets - min(events, tickets), 26 * tickets)


def _landing(stand: Stand, tickets: int, numbers: range) -> float:
    """CPU seconds per million of landing these updates with one worker in a new process, which then goes on."""
    if "worker" in stand.processes:
        stand.stop("worker")
    with stand.warehouse() as warehouse:
        warehouse.execute("checkpoint")
        row = warehouse.execute(READ).fetchone()
    last = fill(stand.stack.kafka_bootstrap, TOPIC, numbers, tickets)
    meter = cost.Meter(stand.pids("postgres"))
    stand.start("worker")
    meter.join(stand.pids("worker"))
    read = f"select ({READ}) - {int(row[0]) if row else 0}"
    return drain(stand, "landing.ticket_signal_versions", last, len(numbers), meter, written=read).cpu_per_million()


def _publishing(stand: Stand, tickets: int) -> dict[str, float]:
    """The first build, the cycle after it (now the minute that all of it landed in has been published), and further cycles."""
    first = first_build(stand)
    second, *others = (cycle(stand, tickets, CHANGES, number) for number in range(1 + CYCLES))
    memory = cost.resident_megabytes(stand.pids("publisher")["publisher"])
    stand.stop("publisher", "worker")
    return {
        "first build s": first,
        "cycle after it s": second,
        f"cycle of {CHANGES:,} changes s": statistics.median(others),
        "publisher MB": memory,
    }


def _reconciling(stand: Stand, tickets: int) -> dict[str, float]:
    """One comparison of the store with the warehouse, both of this size."""
    fill_store(stand)
    return {"reconcile s": cx(stand.environment, "reconcile", "--table", "ticket_signals", "--patience", "0")}
