"""The publisher under measurement: its first build, and one cycle after so many changes."""

import time
from typing import Any

from ops.bench.backlog import fill
from ops.bench.events import TOPIC
from ops.bench.stand import Stand

PATIENCE_SECONDS = 2_400.0
CYCLE_SECONDS = """
select (select sum(value::float) from jsonb_each_text(stage_seconds))
from ops.publish_cycles where cycle_id > %s and outcome <> 'error'
order by cycle_id limit 1
"""


def first_build(stand: Stand) -> float:
    """Start the publisher on a full landing; seconds that its first cycle took."""
    stand.start("publisher")
    return _next_cycle(stand, 0)


def cycle(stand: Stand, tickets: int, changes: int, number: int) -> float:
    """Enrich so many tickets again; seconds of the cycle that publishes them."""
    before = _newest(stand)
    first = (30 + number) * tickets
    step = max(1, tickets // changes)
    fill(stand.stack.kafka_bootstrap, TOPIC, range(first, first + min(tickets, changes * step), step), tickets)
    return _next_cycle(stand, before)


def _newest(stand: Stand) -> int:
    with stand.warehouse() as warehouse:
        row = warehouse.execute("select coalesce(max(cycle_id), 0) from ops.publish_cycles").fetchone()
    return int(row[0]) if row else 0


def _next_cycle(stand: Stand, before: int) -> float:
    found: list[Any] = []

    def done() -> bool:
        time.sleep(0.1)
        with stand.warehouse() as warehouse:
            found[:] = warehouse.execute(CYCLE_SECONDS, [before]).fetchone() or []
        return bool(found)

    stand.wait_until(done, PATIENCE_SECONDS, "a publish cycle")
    return float(found[0])
