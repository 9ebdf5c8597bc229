"""What the marts say of each driver, as any reader of them may ask: counts, the present window, evidence, owners."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.rows import dict_row

from ops.spikes.rules import CHURN, WEEKS, Finding, History, Present
from ops.spikes.series import WEEK, Series, begin_of

HISTORY_WEEKS = 2 * WEEKS  # two weeks of ordinary scatter, each with six weeks before it, and room for the level
LIVE = timedelta(hours=2)  # what lands later than this after it occurred is a backfill
EVIDENCE = 5

COUNTS: LiteralString = """
select
    driver,
    floor(extract(epoch from occurred_at) / 900)::bigint as slot,
    count(*) as tickets,
    count(*) filter (where sentiment = 'negative') as negative,
    count(*) filter (where churn_risk = 'high') as churning
from marts.fct_ticket_signals
where signal_date >= %(begin)s::timestamptz::date - 1 and occurred_at >= %(begin)s and occurred_at < %(end)s
group by 1, 2
"""

ARRIVALS: LiteralString = """
select
    driver,
    floor(extract(epoch from occurred_at) / 900)::bigint as slot,
    floor(extract(epoch from landed_at) / 60)::bigint as landed_minute,
    count(*) as tickets,
    count(*) filter (where sentiment = 'negative') as negative,
    count(*) filter (where churn_risk = 'high') as churning
from marts.fct_ticket_signals
where
    signal_date >= %(begin)s::timestamptz::date - 1
    and occurred_at >= %(begin)s
    and occurred_at < %(end)s
    and landed_at - occurred_at <= %(live)s
group by 1, 2, 3
"""

ROWS: LiteralString = """
select source_system, ticket_id, sentiment, churn_risk, evidence_url
from marts.fct_ticket_signals
where
    driver = %(driver)s
    and signal_date >= %(begin)s::timestamptz::date - 1
    and occurred_at >= %(begin)s
    and occurred_at < %(end)s
    and landed_at - occurred_at <= %(live)s
    and case when %(is_churn)s then churn_risk = 'high' else sentiment = 'negative' end
order by occurred_at desc, ticket_id asc
limit %(most)s
"""

OWNERS: LiteralString = "select driver, owner from marts.dim_drivers where owner is not null"


@dataclass(frozen=True)
class Arrived:
    """Live tickets of one driver that occurred in one slot and landed in one minute."""

    slot: int
    landed_minute: int
    tickets: int
    negative: int
    churning: int


def histories(marts: Connection[Any], end: int) -> dict[str, History]:
    """Every driver's counts of the weeks before slot `end`; a driver's history begins with its first ticket in them."""
    begin = end - HISTORY_WEEKS * WEEK
    counts: dict[str, dict[int, tuple[int, int, int]]] = defaultdict(dict)
    with marts.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(COUNTS, {"begin": begin_of(begin), "end": begin_of(end)}):
            counts[row["driver"]][row["slot"]] = row["tickets"], row["negative"], row["churning"]
    return {driver: _history(slots, end) for driver, slots in counts.items()}


def _history(slots: Mapping[int, tuple[int, int, int]], end: int) -> History:
    first = min(slots)
    tickets, negative, churning = (
        Series({slot: numbers[place] for slot, numbers in slots.items()}, first, end) for place in range(3)
    )
    return History(tickets, negative, churning)


def arrivals(marts: Connection[Any], begin: int, end: int) -> dict[str, list[Arrived]]:
    """The live tickets of the slots from `begin` to `end`, by driver."""
    found: dict[str, list[Arrived]] = defaultdict(list)
    values = {"begin": begin_of(begin), "end": begin_of(end), "live": LIVE}
    for driver, *numbers in marts.execute(ARRIVALS, values):
        found[driver].append(Arrived(*numbers))
    return found


def present(arrived: Sequence[Arrived], begin: int) -> Present:
    """What those tickets say of the window that begins at slot `begin`."""
    rows = [one for one in arrived if one.slot >= begin]
    at_once: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for one in rows:
        for minute in (one.landed_minute, one.landed_minute + 1):  # every two minutes in a row
            at_once[minute][0] += one.negative
            at_once[minute][1] += one.churning
    most = max((max(pair) for pair in at_once.values()), default=0)
    return Present(sum(r.tickets for r in rows), sum(r.negative for r in rows), sum(r.churning for r in rows), most)


def evidence(marts: Connection[Any], driver: str, finding: Finding, end: int) -> list[dict[str, Any]]:
    """The newest five tickets behind a finding, as an alert shows rows."""
    is_churn = finding.metric == CHURN
    begin, until = begin_of(end) - timedelta(hours=finding.hours), begin_of(end)
    values = {"driver": driver, "begin": begin, "end": until, "live": LIVE, "is_churn": is_churn, "most": EVIDENCE}
    field = "churn_risk" if is_churn else "sentiment"
    with marts.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(ROWS, values).fetchall()
    names = ("source_system", "ticket_id", "evidence_url")
    return [{**{name: row[name] for name in names}, "field": field, "value": row[field]} for row in rows]


def owners(marts: Connection[Any]) -> dict[str, str]:
    """Who owns each driver that has an owner."""
    return dict(marts.execute(OWNERS).fetchall())
