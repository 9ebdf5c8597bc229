"""The SQL of the samples. A sample belongs to a place on the grid of `every`: two samplers write it once.

Samples are kept for the burn rates of hours; slices of some minutes, summed from them, for budgets and reports.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from ops.objectives.rules import Objective, Promises, Told

SAMPLE = """
with sample as (
    insert into ops.objective_samples (objective, sampled_at, seconds, value, is_bad)
    values (%(objective)s, %(at)s, %(seconds)s, %(value)s, %(is_bad)s)
    on conflict do nothing
    returning *
)
insert into ops.objective_slices as known
    (objective, slice_at, measured_seconds, bad_seconds, value_count, value_sum, value_max)
select
    objective, date_bin(%(slice)s, sampled_at, '2000-01-01Z'), seconds, case when is_bad then seconds else 0 end,
    (value is not null)::integer, coalesce(value, 0), value
from sample
on conflict (objective, slice_at) do update set
    measured_seconds = known.measured_seconds + excluded.measured_seconds,
    bad_seconds = known.bad_seconds + excluded.bad_seconds,
    value_count = known.value_count + excluded.value_count,
    value_sum = known.value_sum + excluded.value_sum,
    value_max = greatest(known.value_max, excluded.value_max)
"""
CONSUMED = """
insert into ops.consumed_samples (slice_at, applied, duplicate, stale, conflict, rejected, deleted)
select
    date_bin(%(slice)s, %(at)s, '2000-01-01Z'),
    sum(applied), sum(duplicate), sum(stale), sum(conflict), sum(rejected), sum(deleted)
from landing.consumed_records
having count(*) > 0
on conflict do nothing
"""
FORGET = """
with samples as (delete from ops.objective_samples where sampled_at < %(at)s - %(samples)s::interval),
slices as (delete from ops.objective_slices where slice_at < %(at)s - %(slices)s::interval)
delete from ops.consumed_samples where slice_at < %(at)s - %(slices)s::interval
"""
NEWEST = """
select distinct on (objective) objective, sampled_at, value, is_bad
from ops.objective_samples
where sampled_at > %(at)s - %(patience)s::interval and sampled_at <= %(at)s
order by objective, sampled_at desc
"""
BAD = """
select samples.objective, lengths.length, sum(samples.seconds)
from unnest(%(windows)s::interval[]) as lengths (length)
inner join ops.objective_samples as samples
    on samples.sampled_at > %(at)s - lengths.length and samples.sampled_at <= %(at)s and samples.is_bad
group by samples.objective, lengths.length
"""
SPENT = """
select objective, sum(measured_seconds), sum(bad_seconds)
from ops.objective_slices
where slice_at > %(at)s - %(window)s::interval and slice_at <= %(at)s and objective = any(%(objectives)s)
group by objective
"""
LAST_TOLD = """
select state, severity, raised_at from ops.alert_outbox where fingerprint = %s order by alert_id desc limit 1
"""
TELL = """
insert into ops.alert_outbox (fingerprint, state, severity, owner, summary, details) values (%s, %s, %s, %s, %s, %s)
"""


@dataclass(frozen=True)
class Sample:
    """One value of one objective, at a place on the grid. None: the source did not answer."""

    objective: str
    at: datetime
    value: float | None
    is_bad: bool


@dataclass(frozen=True)
class Spent:
    """Seconds of a window that were measured, and of these not met."""

    measured_seconds: float = 0.0
    bad_seconds: float = 0.0


def write(connection: Connection[Any], samples: Iterable[Sample], promises: Promises) -> None:
    """Write samples; one that is there already changes nothing."""
    for one in samples:
        connection.execute(
            SAMPLE,
            {"objective": one.objective, "at": one.at, "seconds": promises.every.total_seconds(), "value": one.value,
             "is_bad": one.is_bad, "slice": promises.slice},
        )  # fmt: skip


def count_consumed(connection: Connection[Any], at: datetime, promises: Promises) -> None:
    """Keep the outcome counters as they stand in the first sample of each slice."""
    connection.execute(CONSUMED, {"at": at, "slice": promises.slice})


def forget(connection: Connection[Any], at: datetime, promises: Promises) -> None:
    """Remove what is older than it is kept."""
    connection.execute(FORGET, {"at": at, "samples": promises.samples_kept, "slices": promises.slices_kept})


def newest(connection: Connection[Any], at: datetime, patience: timedelta) -> dict[str, Sample]:
    """The newest sample of each objective that is not older than `patience`."""
    rows = connection.execute(NEWEST, {"at": at, "patience": patience})
    return {row[0]: Sample(*row) for row in rows}


def bad_seconds(connection: Connection[Any], at: datetime, windows: Sequence[timedelta]) -> dict[tuple[str, timedelta], float]:
    """Seconds not met by objective and window before `at`; a pair without any is absent."""
    rows = connection.execute(BAD, {"at": at, "windows": list(windows)})
    return {(objective, length): float(seconds) for objective, length, seconds in rows}


def spent(connection: Connection[Any], at: datetime, promises: Promises) -> dict[str, Spent]:
    """What each objective's own window before `at` holds; one that was never measured is absent."""
    found: dict[str, Spent] = {}
    for window in {objective.window for objective in promises.objectives}:
        names = [objective.name for objective in promises.objectives if objective.window == window]
        for name, measured, bad in connection.execute(SPENT, {"at": at, "window": window, "objectives": names}):
            found[name] = Spent(float(measured), float(bad))
    return found


def fingerprint(objective: str) -> str:
    """The cause that alerts about an objective carry."""
    return f"objective:{objective}"


def last_told(connection: Connection[Any], objective: str) -> Told | None:
    """What the outbox heard last of an objective."""
    row = connection.execute(LAST_TOLD, (fingerprint(objective),)).fetchone()
    return Told(*row) if row else None


def tell(
    connection: Connection[Any], objective: Objective, *, state: str, severity: str, summary: str, details: dict[str, Any]
) -> None:
    """Write one notice."""
    connection.execute(TELL, (fingerprint(objective.name), state, severity, objective.owner, summary, Jsonb(details)))
