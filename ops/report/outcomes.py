"""What became of the records and publishes of a week, from the warehouse."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from ops.report.weeks import Week

Row = dict[str, Any]
NAMES = ("applied", "duplicate", "stale", "conflict", "rejected", "deleted")

# Counters only grow. Where the week still runs, the newest are those of now.
COUNTERS = """
with samples as (
    select slice_at as at, applied, duplicate, stale, conflict, rejected, deleted
    from ops.consumed_samples
    where slice_at < %(until)s
    union all
    select clock_timestamp(), sum(applied), sum(duplicate), sum(stale), sum(conflict), sum(rejected), sum(deleted)
    from landing.consumed_records
    where %(is_running)s
    having count(*) > 0
),
days as (
    select distinct on (day)
        (at at time zone %(zone)s)::date as day, samples.*
    from samples
    cross join lateral (select (at at time zone %(zone)s)::date) as local (day)
    where at >= %(start)s
    order by day, at desc
),
before as (
    select (%(start)s::timestamptz at time zone %(zone)s)::date - 1 as day, samples.*
    from samples
    where at < %(start)s
    order by at desc
    limit 1
)
-- one row per day with the counters at its end, and one for the end of the week before
select * from before
union all
select * from days
order by day
"""
DEAD_LETTERS = """
select
    reason,
    count(*) as letters,
    sum(times_seen)::bigint as times_seen,
    count(*) filter (where status = 'open') as open,
    min(remedy) as remedy
from landing.dead_letters
where first_seen_at >= %(start)s and first_seen_at < %(end)s
group by reason
order by letters desc, reason
"""
CYCLES = """
select outcome, count(*) as cycles
from ops.publish_cycles
where started_at >= %(start)s and started_at < %(end)s
group by outcome
"""
PUBLICATIONS = "select count(*) as publications from marts.publications where at >= %(start)s and at < %(end)s"
# Cycles that published nothing, one after the other, are one spell.
HELD = """
with cycles as (
    select
        *,
        lead(finished_at) over (order by cycle_id) as next_finished_at,
        count(*) filter (where outcome = 'published') over (order by cycle_id) as published_before
    from ops.publish_cycles
    where started_at >= %(start)s and started_at < %(end)s
)
select
    outcome,
    min(started_at) as since,
    max(coalesce(next_finished_at, finished_at)) as until,
    count(*) as cycles,
    (array_agg(message order by cycle_id desc))[1] as message
from cycles
where outcome <> 'published'
group by published_before, outcome
order by since
"""
HELD_TICKETS = """
select check_name, count(*) as tickets, min(held_at) as since
from ops.held_tickets
where released_at is null
group by check_name
order by tickets desc, check_name
"""
RECONCILIATIONS = """
select
    table_name,
    count(*) as runs,
    count(*) filter (where outcome = 'equal') as equal,
    sum(missing + extra + different)::bigint as differences,
    sum(repaired)::bigint as repaired,
    max(verified_through) as verified_through,
    (array_agg(outcome order by reconciliation_id desc))[1] as last_outcome
from ops.reconciliations
where started_at >= %(start)s and started_at < %(end)s
group by table_name
order by table_name
"""


@dataclass(frozen=True)
class Outcomes:
    """Records of the week by outcome, in all and per day: {outcome: records}."""

    total: dict[str, int]
    days: list[Row]  # {"day": date, outcome: records, ...}

    @property
    def records(self) -> int:
        return sum(self.total.values())

    @property
    def dead_share(self) -> float:
        return (self.total["rejected"] + self.total["conflict"]) / self.records if self.records else 0.0


def consumed(connection: Connection[Any], week: Week, now: datetime) -> Outcomes:
    """Records by outcome."""
    values = {"start": week.start, "until": week.until(now), "is_running": now < week.end, "zone": week.zone.key}
    return grown(rows(connection, COUNTERS, values), week)


def grown(counters: Iterable[Row], week: Week) -> Outcomes:
    """Differences of counters at the end of each day; the first row may be the end of the week before."""
    last = dict.fromkeys(NAMES, 0)
    days = []
    for row in counters:
        counts = {name: int(row[name]) for name in NAMES}
        if row["day"] >= week.monday:
            days.append({"day": row["day"], **{name: max(0, counts[name] - last[name]) for name in NAMES}})
        last = counts
    return Outcomes({name: sum(day[name] for day in days) for name in NAMES}, days)


def rows(connection: Connection[Any], query: str, values: Row) -> list[Row]:
    """Every row of a query, as a mapping."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, values).fetchall()
