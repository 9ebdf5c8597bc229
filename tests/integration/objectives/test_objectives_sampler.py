"""Objectives measured, kept and told on a real warehouse and store."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from ops.objectives import file, measure, outlook, samples
from ops.objectives.measure import Sources
from ops.objectives.metrics import Metrics
from ops.objectives.rules import BurnAlert, Objective, Promises
from ops.objectives.sampler import Sampler, Setup, on_grid

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
EVERY = timedelta(seconds=15)


def objective(query: str, **changes: Any) -> Objective:
    known: dict[str, Any] = {"goal": 0.99, "target": 10, "source": "warehouse", "window": timedelta(days=28)}
    return Objective(
        name="o", title="Title", unit="seconds", query=query, owner="data", remedy="Mend it.", **{**known, **changes}
    )


def promises(*objectives: Objective) -> Promises:
    """Objectives whose alert fires at 30 bad seconds within a minute, of which 15 within the last 15."""
    alerts = (BurnAlert("critical", timedelta(minutes=1), timedelta(seconds=15), 50.0),)
    return replace(file.read(), burn_alerts=alerts, objectives=objectives)


def sampler(url: str, promised: Promises, **sources: str) -> Sampler:
    return Sampler(Setup(promised, Sources(url, **sources)), Metrics(CollectorRegistry()))


def rows(url: str, query: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()  # type: ignore[call-overload]


def test_every_published_objective_can_be_measured(warehouse_url: str, store_url: str) -> None:
    """Each query of the file runs on an empty warehouse and store; what has nothing to measure is left out, not bad."""
    found = measure.look(Sources(warehouse_url, store_url), [one for one in file.read().objectives if one.source != "kafka"])

    assert None not in found.values.values()
    assert found.values["marts_freshness"] == 0


def test_freshness_is_the_age_of_what_landed_and_is_not_published(warehouse_url: str) -> None:
    """An unpublished deletion of a minute ago makes the marts a minute old; its publication makes them fresh."""
    promised = [one for one in file.read().objectives if one.name == "marts_freshness"]
    with psycopg.connect(warehouse_url) as warehouse:
        warehouse.execute(
            "insert into landing.deleted_tickets (source_system, ticket_id, deleted_position, landed_at)"
            " values ('s', '1', 1, clock_timestamp() - interval '1 minute')"
        )

    old = measure.look(Sources(warehouse_url), promised).values["marts_freshness"]
    with psycopg.connect(warehouse_url) as warehouse:
        warehouse.execute("insert into marts.publications (to_snapshot, gate_result) values (pg_current_snapshot(), 'passed')")
    fresh = measure.look(Sources(warehouse_url), promised).values["marts_freshness"]

    assert old == pytest.approx(60, abs=20)
    assert fresh == 0


def test_latency_counts_versions_that_the_last_publications_brought(warehouse_url: str) -> None:
    """Ten versions committed 7 s before their publication: p95 and p99 are 7 s."""
    promised = [one for one in file.read().objectives if one.name.startswith("end_to_end")]
    with psycopg.connect(warehouse_url) as warehouse:
        (before,) = warehouse.execute("select pg_current_snapshot()::text").fetchone() or ()
        warehouse.execute(
            """
            insert into landing.ticket_signal_versions (event_id, occurred_at, source_system, ticket_id, sentiment, churn_risk,
                effort, raw_tags, custom_metrics, evidence_url, idempotency_key, version, content_hash, source_positions,
                kafka_partition, kafka_offset, store_committed_at)
            select gen_random_uuid(), now(), 's', i::text, 'neutral', 'low', 'low', '{}', '{}', 'https://e', i::text, 1, '', '{}',
                0, i, now() - interval '7 seconds'
            from generate_series(1, 10) as i"""
        )
        warehouse.commit()
        warehouse.execute(
            "insert into marts.publications (at, from_snapshot, to_snapshot, gate_result)"
            " select max(store_committed_at) + interval '7 seconds', %s, pg_current_snapshot(), 'passed'"
            " from landing.ticket_signal_versions",
            [before],
        )

    assert measure.look(Sources(warehouse_url), promised).values == {"end_to_end_p95": 7.0, "end_to_end_p99": 7.0}


def test_the_dead_letter_share_is_that_of_the_last_minutes(warehouse_url: str) -> None:
    """Of 100 records read since the counters of ten minutes ago, 4 were rejected or in conflict: 4 %."""
    promised = [one for one in file.read().objectives if one.name == "dead_letter_share"]
    with psycopg.connect(warehouse_url) as warehouse:
        warehouse.execute(
            "insert into landing.consumed_records"
            " (topic, kafka_partition, first_offset, next_offset, applied, rejected, conflict)"
            " values ('t', 0, 0, 200, 190, 7, 3)"
        )
        warehouse.execute(
            "insert into ops.consumed_samples values (clock_timestamp() - interval '11 minutes', 94, 0, 0, 1, 5, 0),"
            " (clock_timestamp() - interval '2 minutes', 190, 0, 0, 3, 7, 0)"
        )

    assert measure.look(Sources(warehouse_url), promised).values == {"dead_letter_share": 0.04}


def test_a_sample_is_written_once_whoever_takes_it(warehouse_url: str) -> None:
    """Two samplers at one place of the grid leave one sample, counted once in its slice."""
    promised = promises(objective("select 12"))
    for _ in range(2):
        sampler(warehouse_url, promised).sample(NOW + timedelta(seconds=3))

    assert rows(warehouse_url, "select sampled_at, value, is_bad from ops.objective_samples") == [(NOW, 12.0, True)]
    assert rows(warehouse_url, "select measured_seconds, bad_seconds, value_max from ops.objective_slices") == [
        (15.0, 15.0, 12.0)
    ]


def test_a_lasting_breach_is_told_once_and_so_is_its_end(warehouse_url: str) -> None:
    """One bad sample tells nothing, the second fires, more are silent, and the first good one is the end."""
    bad, good = sampler(warehouse_url, promises(objective("select 12"))), sampler(warehouse_url, promises(objective("select 3")))
    told = "select state, severity, owner from ops.alert_outbox where fingerprint = 'objective:o' order by alert_id"

    bad.sample(NOW)
    assert rows(warehouse_url, told) == []
    for step in (1, 2, 3):
        bad.sample(NOW + step * EVERY)
    assert rows(warehouse_url, told) == [("firing", "critical", "data")]
    for step in (4, 5):
        good.sample(NOW + step * EVERY)
    assert [row[0] for row in rows(warehouse_url, told)] == ["firing", "ok"]


def test_samples_wait_while_the_warehouse_is_away(warehouse_url: str, store_url: str) -> None:
    """What was measured in the store during an outage of the warehouse is written when it is back, at its own time."""
    promised = promises(objective("select 12", source="store"))
    away = sampler(warehouse_url, promised, store_url=store_url)
    away._sources = replace(away._sources, warehouse_url="postgresql://nobody@127.0.0.1:1/none")

    away.sample(NOW)
    away._sources = replace(away._sources, warehouse_url=warehouse_url)
    away.sample(NOW + EVERY)

    assert rows(warehouse_url, "select sampled_at from ops.objective_samples order by 1") == [(NOW,), (NOW + EVERY,)]


def test_a_store_that_does_not_answer_counts_as_bad_once_everything_had_time_to_start(warehouse_url: str) -> None:
    """In the sampler's first minute no answer is no sample; later the sample has no value and counts against the budget."""
    one = sampler(
        warehouse_url, promises(objective("select 1", source="store")), store_url="postgresql://nobody@127.0.0.1:1/none"
    )

    for step in range(5):
        one.sample(NOW + step * EVERY)

    assert rows(warehouse_url, "select sampled_at, value, is_bad from ops.objective_samples") == [(NOW + 4 * EVERY, None, True)]


def test_old_samples_are_forgotten_and_slices_stay_longer(warehouse_url: str) -> None:
    """Samples go after two days, their sums after a hundred."""
    promised = promises(objective("select 1"))
    first = sampler(warehouse_url, promised)
    first.sample(NOW)
    first.sample(NOW + timedelta(days=3))

    assert rows(warehouse_url, "select count(*) from ops.objective_samples") == [(1,)]
    assert rows(warehouse_url, "select count(*) from ops.objective_slices") == [(2,)]


def test_an_overdrawn_budget_is_unmet_by_how_much(warehouse_url: str) -> None:
    """A window of ten minutes with a goal of 90 % allows 60 s; eight bad samples of 15 s overdraw it by as much again."""
    promised = promises(objective("select 12", goal=0.9, window=timedelta(seconds=600)))
    one = sampler(warehouse_url, promised)
    for step in range(8):
        one.sample(NOW + step * EVERY)

    with psycopg.connect(warehouse_url) as warehouse:
        (standing,) = outlook.standings(warehouse, promised, NOW + 7 * EVERY)

    assert (standing.budget.allowed_seconds, standing.budget.spent_seconds) == (pytest.approx(60), 120)
    assert standing.is_measured and not standing.is_met
    assert standing.budget.left_share == pytest.approx(-1)


def test_the_grid_is_the_same_for_everybody() -> None:
    """Places lie on whole multiples of the interval since 2000."""
    assert on_grid(NOW + timedelta(seconds=14, microseconds=9), EVERY) == NOW
    assert samples.fingerprint("o") == "objective:o"
