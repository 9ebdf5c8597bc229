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
            values = {"versions": float(versions), **_landing(stand, tickets, sizes.growth_events)}
            if tickets <= sizes.publish_up_to:
                values |= _publishing(stand, tickets) | _reconciling(stand, tickets)
        yield from figures(NAME, f"{tickets:,} tickets", values)
        say(", ".join(f"{name} {value:.1f}" for name, value in values.items()))


def _landing(stand: Stand, tickets: int, events: int) -> dict[str, float]:
    """New versions of tickets all over the history, landed by one worker."""
    step = max(1, tickets // events)
    numbers = range(20 * tickets, 20 * tickets + tickets // step * step, step)  # version 21: newer than any that is there
    last = fill(stand.stack.kafka_bootstrap, TOPIC, numbers, tickets)
    meter = cost.Meter(stand.pids("postgres"))
    stand.start("worker")
    meter.join(stand.pids("worker"))
    drained = drain(stand, "landing.ticket_signals", last, len(numbers), meter, written=READ)
    memory = cost.resident_megabytes(meter.roots["worker"])
    return {"landing CPU s per million": drained.cpu_per_million(), "worker MB": memory}


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
