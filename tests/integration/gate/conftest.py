"""A warehouse in good order, small: 60 tickets that landed, were built and were published, and the gate over it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from expectations import policy as policies
from expectations.gate.gate import Files, Gate, Review
from expectations.gate.validate import Validator
from expectations.policy import Policy
from expectations.publish.shape import Mart
from expectations.window import Window

MARTS = [
    Mart("fct_ticket_signals", ("source_system", "ticket_id"), "touched_tickets"),
    Mart("fct_evidence", ("source_system", "ticket_id"), "touched_tickets"),
    Mart("fct_driver_sentiment_daily", ("signal_date", "driver", "source_system"), "touched_driver_days"),
]

LANDED = """
insert into landing.ticket_signal_versions
select
    gen_random_uuid() as event_id, now() - interval '1 hour' as occurred_at, 'zendesk' as source_system,
    'T-' || number as ticket_id, 'A-1' as account_id,
    'negative' as sentiment, 0.5 as sentiment_score, 'low' as churn_risk, 'high' as effort,
    array['billing'] as raw_tags, 'billing' as canonical_tag, 'pricing' as driver, '{"a": 1}'::jsonb as custom_metrics,
    'https://evidence.example/T-' || number as evidence_url, 'too expensive' as evidence_quote,
    'T-' || number || '-1' as idempotency_key,
    1 as version, now() as updated_at, 'x'::bytea as content_hash, '{1}'::bigint[] as source_positions, 0 as kafka_partition,
    number as kafka_offset, now() as store_committed_at, now() as captured_at
from generate_series(1, 60) as number;
insert into landing.accounts (account_id, name, content_hash, source_position) values ('A-1', 'One', 'x', 1);
"""
BUILT = """
create schema build;
create table build.touched_tickets as select source_system, ticket_id from landing.ticket_signals;
create table build.fct_ticket_signals as
select
    source_system, ticket_id, account_id, sentiment, churn_risk, effort, version, driver, evidence_url,
    current_date as signal_date
from landing.ticket_signals;
create table build.fct_evidence as select source_system, ticket_id, evidence_url from build.fct_ticket_signals;
create table build.fct_driver_sentiment_daily as
select
    signal_date, driver, source_system, count(*) as signal_count, count(evidence_url) as evidence_count,
    min(evidence_url) as worst_evidence_url
from build.fct_ticket_signals
group by signal_date, driver, source_system;
create table build.touched_driver_days as select signal_date, driver, source_system from build.fct_driver_sentiment_daily;
create table marts.fct_ticket_signals as select * from build.fct_ticket_signals;
create table marts.fct_driver_sentiment_daily as select * from build.fct_driver_sentiment_daily;
"""


class TunedGate(Gate):
    """The real gate with some thresholds and quarantine rules set by a test."""

    thresholds: dict[str, float] = {"min_drift_tickets": 50}  # noqa: RUF012 - replaced, never changed
    holdable: tuple[str, ...] = ()

    def policy(self) -> Policy:
        read = super().policy()
        quarantine = replace(read.quarantine, checks=self.holdable)
        return replace(read, thresholds={**read.thresholds, **self.thresholds}, quarantine=quarantine)


class GoodWarehouse:
    """Good until a test breaks it."""

    def __init__(self, url: str, docs: Path) -> None:
        self.url = url
        self._validator = Validator(url)
        self.gate = TunedGate(self._validator, Files(policy=policies.DEFAULT_POLICY, docs=docs))
        self.execute(LANDED)
        self.execute(BUILT)

    def execute(self, query: str) -> list[tuple]:
        with psycopg.connect(self.url) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        self._validator.close()

    def snapshot(self) -> str:
        [(snapshot,)] = self.execute("select pg_current_snapshot()::text")
        return str(snapshot)

    def review(self, suite: str, until: str = "") -> Review:
        """Review a window that contains everything, or everything that a snapshot saw."""
        window = Window(None, until or self.snapshot())
        with psycopg.connect(self.url, autocommit=True) as connection:
            return self.gate.review(connection, suite, window, MARTS, datetime.now(UTC))


@pytest.fixture
def good(warehouse_url: str, tmp_path: Path) -> Iterator[GoodWarehouse]:
    """A warehouse that passes every check."""
    warehouse = GoodWarehouse(warehouse_url, tmp_path / "docs")
    yield warehouse
    warehouse.close()
