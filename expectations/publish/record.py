"""What the publisher remembers of its cycles."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from expectations.publish.transaction import Published
from expectations.window import Window

CYCLE = """
insert into ops.publish_cycles (
    started_at, outcome, message, publication_id, from_snapshot, to_snapshot, watermark, checks, stage_seconds
) values (
    %(started_at)s, %(outcome)s, %(message)s, %(publication_id)s, %(from)s::pg_snapshot, %(to)s::pg_snapshot,
    %(watermark)s::timestamptz, %(checks)s, %(stage_seconds)s
)
"""
FORGET = "delete from ops.publish_cycles where started_at < %s - make_interval(days => %s)"
HELD_HOUR = "insert into ops.held_hours values (date_trunc('hour', now(), 'UTC')) on conflict do nothing"


@dataclass(frozen=True)
class CycleRow:
    """A row of ops.publish_cycles."""

    started_at: datetime
    outcome: str
    message: str
    window: Window | None
    published: Published | None
    checks: Mapping[str, str]
    stage_seconds: Mapping[str, float]


def write_cycle(connection: Connection, cycle: CycleRow, kept_days: int) -> None:
    """Write the cycle's row and forget the old ones. Runs in the caller's transaction."""
    values = {
        "started_at": cycle.started_at,
        "outcome": cycle.outcome,
        "message": cycle.message,
        "publication_id": cycle.published.publication_id if cycle.published else None,
        "from": cycle.window.from_snapshot if cycle.window else None,
        "to": cycle.window.to_snapshot if cycle.window else None,
        "watermark": cycle.published.watermark if cycle.published else None,
        "checks": json.dumps(dict(cycle.checks)),
        "stage_seconds": json.dumps(dict(cycle.stage_seconds)),
    }
    connection.execute(CYCLE, values)
    connection.execute(FORGET, [cycle.started_at, kept_days])
    if cycle.outcome == "held":
        connection.execute(HELD_HOUR)
