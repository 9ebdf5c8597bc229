"""The watch for spikes on a real warehouse: one alert per spike, none from a backfill, and its end."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import yaml

from ops.settings import PROJECT_DIRECTORY
from ops.spikes.series import SLOT_SECONDS
from ops.spikes.watch import Setup, Watch

MARTS = """
create table marts.fct_ticket_signals (
    source_system text, ticket_id text, occurred_at timestamptz, signal_date date, landed_at timestamptz,
    driver text, sentiment text, churn_risk text, evidence_url text
);
create table marts.dim_drivers (driver text, owner text);
insert into marts.dim_drivers values ('Billing', 'billing-team'), ('Login', null);
insert into marts.fct_ticket_signals
select
    'zendesk', driver || at, at, at::date, at + interval '5 seconds', driver,
    case when extract(minute from at)::int % 20 = 3 then 'negative' else 'neutral' end, 'low', 'https://evidence/' || driver
from unnest(array['Billing', 'Login']) as driver
cross join generate_series(
    timestamptz '2026-11-24 14:15Z' - interval '9 weeks', timestamptz '2026-11-24 14:15Z', interval '4 minutes'
) as at
"""
TICKETS = """
insert into marts.fct_ticket_signals
select
    'zendesk', %(name)s || number, occurred_at, occurred_at::date,
    coalesce(%(landed)s::timestamptz, occurred_at + interval '5 seconds'),
    'Billing', 'negative', 'low', 'https://evidence/' || number
from generate_series(1, %(number)s) as number
cross join lateral (select %(begin)s::timestamptz + number * %(every)s as occurred_at) as made
"""
NOW = datetime(2026, 11, 24, 14, 16, tzinfo=UTC)
SLOT = timedelta(seconds=SLOT_SECONDS)


class Marts:
    """Nine weeks of two steady drivers, and whatever a test adds."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection = psycopg.connect(url, autocommit=True)
        self.connection.execute(MARTS.encode())
        self.watch = Watch(Setup(url, url))

    def add(
        self, number: int, begin: datetime, every: timedelta, landed: datetime | None = None, churn_risk: str = "low"
    ) -> None:
        """Negative tickets of Billing; landed at once when `landed` is given, else seconds after they occurred."""
        values = {
            "name": f"t{begin}",
            "number": number,
            "begin": begin,
            "every": every,
            "landed": landed,
            "churn_risk": churn_risk,
        }
        self.connection.execute(TICKETS.encode(), values)

    def look(self, now: datetime) -> list[tuple[Any, ...]]:
        """Look, and tell every alert so far."""
        self.watch.look(now)
        query = "select fingerprint, state, owner, summary, details from ops.alert_outbox order by alert_id"
        return self.connection.execute(query).fetchall()


@pytest.fixture
def marts(warehouse_url: str) -> Marts:
    """A warehouse with published marts, as far as the watch reads them."""
    return Marts(warehouse_url)


def test_ordinary_traffic_tells_nothing(marts: Marts) -> None:
    """Nine steady weeks: no alert, and a slot is judged once."""
    assert marts.look(NOW) == []
    assert marts.watch.look(NOW + timedelta(seconds=30)) is False


def test_a_spike_is_told_once_to_its_owner_and_its_end(marts: Marts) -> None:
    """One alert with numbers, baseline and five links goes to the driver's owner; a later one says that it is over."""
    marts.add(60, NOW - timedelta(hours=1), timedelta(seconds=55))
    [alert] = marts.look(NOW)
    fingerprint, state, owner, summary, details = alert

    assert (fingerprint, state, owner) == ("spike:Billing", "firing", "billing-team")
    assert summary.startswith("Billing: 6") and "in the last hour; at this hour of the week 3.0 are usual." in summary
    assert len(details["rows"]) == 5 and all(row["evidence_url"].startswith("https://evidence/") for row in details["rows"])
    assert "negative volume, 3 h" in details["extra"]
    assert marts.look(NOW + SLOT) == [alert]
    for number in range(2, 18):
        told = marts.look(NOW + number * SLOT)
    assert [(row[0], row[1]) for row in told] == [("spike:Billing", "firing"), ("spike:Billing", "ok")]
    assert marts.connection.execute("select count(*) from ops.spikes where over_at is not null").fetchone() == (1,)


def test_a_rise_of_the_churn_share_is_told(marts: Marts) -> None:
    """The volume need not be unusual for the share to be."""
    values = {"begin": NOW - timedelta(hours=3)}
    marts.connection.execute(
        "update marts.fct_ticket_signals set churn_risk = 'high' where driver = 'Login' and occurred_at > %(begin)s", values
    )
    [(fingerprint, state, owner, summary, _)] = marts.look(NOW)

    assert (fingerprint, state, owner) == ("spike:Login", "firing", "support-ops")
    assert "tickets in the last 3 hours have a high churn risk; at this hour of the week 0% are usual." in summary


@pytest.mark.parametrize(("begin", "landed"), [
    (NOW - timedelta(hours=1), NOW - timedelta(minutes=2)),
    (NOW - timedelta(hours=3), NOW - timedelta(minutes=5)),
    (NOW - timedelta(days=20), NOW - timedelta(minutes=5)),
])  # fmt: skip
def test_a_backfill_tells_nothing(marts: Marts, begin: datetime, landed: datetime) -> None:
    """Tickets of the last hour, of this morning or of weeks ago that are loaded at once are not what a customer feels now."""
    marts.add(60, begin, timedelta(seconds=55), landed)

    assert marts.look(NOW) == []


def test_the_marts_have_what_the_watch_reads() -> None:
    """Every column it asks for is in the marts' contracts."""
    for mart, needed in {
        "fct_ticket_signals": {"source_system", "ticket_id", "occurred_at", "signal_date", "landed_at", "driver", "sentiment",
                               "churn_risk", "evidence_url"},
        "dim_drivers": {"driver", "owner"},
    }.items():  # fmt: skip
        document = yaml.safe_load((PROJECT_DIRECTORY / f"dbt_project/models/marts/{mart}.yml").read_text())
        [model] = [one for one in document["models"] if one["name"] == mart]
        assert needed <= {column["name"] for column in model["columns"]}
