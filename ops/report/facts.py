"""Everything the report says, read from the warehouse in one transaction."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from ops.alerts import flags
from ops.alerts.flags import Precision
from ops.objectives import outlook
from ops.objectives.outlook import Standing
from ops.objectives.rules import Promises
from ops.report import incidents, outcomes
from ops.report.incidents import Lasted
from ops.report.outcomes import Outcomes, Row, rows
from ops.report.weeks import Week

MOVERS_SHOWN = 8
MINUTES_SHOWN = 400  # more than so many minutes with traffic: the worst of each hour
PRECISION_DAYS = 28

ATTAINED = """
select objective, sum(measured_seconds) as measured_seconds, sum(bad_seconds) as bad_seconds, max(value_max) as worst
from ops.objective_slices
where slice_at >= %(start)s and slice_at < %(end)s
group by objective
"""
CURVE = """
select slice_at as at, value_max as seconds
from ops.objective_slices
where objective = %(objective)s and slice_at >= %(start)s and slice_at < %(end)s and value_max is not null
order by slice_at
"""
LATENCY = """
with minutes as (
    select *, count(*) over () > %(most)s as is_long
    from marts.fct_pipeline_latency
    where hop = 'store_to_published' and landed_minute >= %(start)s and landed_minute < %(end)s
)
select
    case when is_long then date_trunc('hour', landed_minute) else landed_minute end as at,
    sum(version_count)::bigint as versions,
    max(p50_seconds)::float as p50,
    max(p95_seconds)::float as p95,
    max(p99_seconds)::float as p99
from minutes
group by at
order by at
"""
MOVERS = """
select
    mover_rank, driver, signal_count, signal_count_change, net_sentiment, net_sentiment_change, negative_count, high_churn_count,
    last_signal_date, worst_source_system, worst_ticket_id, worst_evidence_url
from marts.rpt_driver_weekly
where week_start_date = %(monday)s
order by mover_rank
limit %(most)s
"""


@dataclass(frozen=True)
class Facts:
    """The report before anybody reads it."""

    week: Week
    made_at: datetime
    standings: list[Standing]
    attained: dict[str, Row]  # by objective: measured_seconds, bad_seconds, worst of this week
    latency: list[Row]
    lag: list[Row]
    outcomes: Outcomes
    dead_letters: list[Row]
    incidents: list[Lasted]
    precision: list[Precision]
    publications: int
    cycles: dict[str, int]
    held: list[Row]
    held_tickets: list[Row]
    reconciliations: list[Row]
    movers: list[Row]

    @property
    def is_running(self) -> bool:
        """Whether the week is not over yet."""
        return self.made_at < self.week.end

    @property
    def unmet(self) -> list[Standing]:
        """Objectives whose budget is overdrawn over their own window."""
        return [one for one in self.standings if one.is_measured and not one.is_met]

    @property
    def below_goal(self) -> list[str]:
        """Objectives that within this week alone were met for less than their goal."""
        shares = {name: row["bad_seconds"] / row["measured_seconds"] for name, row in self.attained.items()}
        return [one.objective.name for one in self.standings if shares.get(one.objective.name, 0.0) > 1 - one.objective.goal]


def gather(connection: Connection[Any], promises: Promises, week: Week, now: datetime) -> Facts:
    """Read the week. Raises psycopg.Error."""
    span: Row = {"start": week.start, "end": week.end}
    return Facts(
        week=week,
        made_at=now,
        standings=outlook.standings(connection, promises, week.until(now)),
        attained={row["objective"]: row for row in rows(connection, ATTAINED, span)},
        latency=_from_mart(connection, "fct_pipeline_latency", LATENCY, {**span, "most": MINUTES_SHOWN}),
        lag=rows(connection, CURVE, {**span, "objective": "consumer_lag"}),
        outcomes=outcomes.consumed(connection, week, now),
        dead_letters=rows(connection, outcomes.DEAD_LETTERS, span),
        incidents=incidents.during(connection, week),
        precision=flags.precision(connection, PRECISION_DAYS),
        publications=rows(connection, outcomes.PUBLICATIONS, span)[0]["publications"],
        cycles={row["outcome"]: row["cycles"] for row in rows(connection, outcomes.CYCLES, span)},
        held=rows(connection, outcomes.HELD, span),
        held_tickets=rows(connection, outcomes.HELD_TICKETS, span),
        reconciliations=rows(connection, outcomes.RECONCILIATIONS, span),
        movers=_from_mart(connection, "rpt_driver_weekly", MOVERS, {"monday": week.monday, "most": MOVERS_SHOWN}),
    )


def _from_mart(connection: Connection[Any], mart: str, query: str, values: Row) -> list[Row]:
    """Marts exist from the first publish on."""
    known = rows(connection, "select to_regclass(%(name)s) is not null as known", {"name": f"marts.{mart}"})
    return rows(connection, query, values) if known[0]["known"] else []
