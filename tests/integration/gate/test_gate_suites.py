"""Every expectation passes on good data, and each has a fixture that makes it fail."""

import json

import pytest

from expectations.gate.suites import SUITES
from tests.integration.gate.conftest import GoodWarehouse

HISTORY = """
insert into ops.landed_hours
select date_trunc('hour', now(), 'UTC') - days * interval '1 day' - hours * interval '1 hour', 'zendesk', {versions}
from generate_series(1, 10) as days, generate_series(0, 1) as hours;
"""
DEAD_LETTERS = """
insert into landing.dead_letters (
    fingerprint, table_name, reason, detail, remedy, topic, kafka_partition, kafka_offset, last_offset
)
select convert_to(number::text, 'UTF8'), 'ticket_signals', '{reason}', 'detail', 'remedy', 'topic', 0, number, number
from generate_series(1, {count}) as number;
"""
MORE_VERSIONS = """
insert into landing.ticket_signal_versions
select
    event_id, occurred_at, source_system, ticket_id || '-' || number, account_id, sentiment, sentiment_score, churn_risk, effort,
    raw_tags, canonical_tag, driver, custom_metrics, evidence_url, evidence_quote, idempotency_key || '-' || number, version,
    updated_at, content_hash, source_positions, kafka_partition, kafka_offset, store_committed_at, captured_at
from landing.ticket_signals, generate_series(1, 5) as number;
"""
PLACEHOLDER = "__cx_unavailable_value_5e1f0c"
ONE = "where ticket_id = 'T-1'"

# What to do to a good warehouse so that this check, at least, fails.
BREAKS = {
    "landing:columns_are_those_of_the_contract": "alter view landing.ticket_signals rename column custom_metrics to metrics",
    "landing:sentiment_is_known": f"update landing.ticket_signals set sentiment = 'furious' {ONE}",
    "landing:churn_risk_is_known": f"update landing.ticket_signals set churn_risk = 'total' {ONE}",
    "landing:effort_is_known": f"update landing.ticket_signals set effort = 'none' {ONE}",
    "landing:evidence_url_is_a_link": f"update landing.ticket_signals set evidence_url = 'see the ticket' {ONE}",
    "landing:no_placeholder_is_stored": f"update landing.ticket_signals set evidence_quote = '{PLACEHOLDER}' {ONE}",
    "landing:occurred_at_is_plausible": f"update landing.ticket_signals set occurred_at = now() + interval '1 day' {ONE}",
    "landing:version_is_positive": f"update landing.ticket_signals set version = 0 {ONE}",
    "landing:sentiment_score_is_in_range": f"update landing.ticket_signals set sentiment_score = 17 {ONE}",
    "landing:accounts_are_known": "delete from landing.accounts",
    "landing:quotes_are_present": "update landing.ticket_signals set evidence_quote = null",
    "landing:rows_arrive_in_time": "update landing.ticket_signals set store_committed_at = now() - interval '1 hour'",
    "landing:landing_is_not_silent": "update landing.ticket_signals set landed_at = now() - interval '2 days'",
    "landing:hourly_volume_is_not_low": HISTORY.format(versions=1000),
    "landing:hourly_volume_is_not_high": MORE_VERSIONS + HISTORY.format(versions=20),
    "landing:few_records_are_dead_lettered": DEAD_LETTERS.format(reason="rejected", count=3),
    "landing:no_flood_of_dead_letters": DEAD_LETTERS.format(reason="rejected", count=40),
    "landing:few_records_conflict": DEAD_LETTERS.format(reason="conflict", count=2),
    "candidates:values_are_known": f"update build.fct_ticket_signals set effort = 'none' {ONE}",
    "candidates:evidence_is_a_link": f"update build.fct_ticket_signals set evidence_url = null {ONE}",
    "candidates:version_never_goes_back": f"update marts.fct_ticket_signals set version = 9 {ONE}",
    "candidates:every_landed_ticket_is_built": f"delete from build.fct_ticket_signals {ONE}",
    "candidates:no_ticket_is_invented": f"delete from landing.ticket_signals {ONE}",
    "candidates:counts_match_landing": f"delete from build.fct_ticket_signals {ONE}",
    "candidates:tickets_do_not_vanish": "delete from build.fct_ticket_signals where ticket_id > 'T-4'",
    "candidates:driver_days_add_up": "update build.fct_driver_sentiment_daily set signal_count = signal_count + 1",
    "candidates:every_ticket_has_evidence": f"delete from build.fct_evidence {ONE}",
    "candidates:every_number_has_evidence": "update build.fct_driver_sentiment_daily set worst_evidence_url = null",
    "candidates:few_tickets_are_unmapped": "update build.fct_ticket_signals set driver = 'unmapped'",
    "candidates:driver_mix_is_stable": "update build.fct_ticket_signals set driver = 'shipping'",
}


def every_check() -> list[str]:
    documents = [json.loads(path.read_text()) for path in SUITES.glob("*.json")]
    return [f"{document['name']}:{item['meta']['name']}" for document in documents for item in document["expectations"]]


def test_no_expectation_lacks_a_fixture() -> None:
    """A check that was never seen to fail is false comfort: each one in the suite files is in BREAKS, and once."""
    assert sorted(every_check()) == sorted(BREAKS)


@pytest.mark.parametrize("suite", ["landing", "candidates"])
def test_good_data_passes_every_check(good: GoodWarehouse, suite: str) -> None:
    """Nothing fails and nothing errs on data in good order."""
    good.execute(HISTORY.format(versions=60))
    good.execute("insert into ops.landed_hours values (date_trunc('hour', now(), 'UTC') - interval '1 hour', 'zendesk', 60)")

    review = good.review(suite)

    assert [(result.check.name, result.note) for result in review.results if result.outcome != "passed"] == []


@pytest.mark.parametrize("check", list(BREAKS))
def test_each_expectation_can_fail(good: GoodWarehouse, check: str) -> None:
    """The fixture makes the check fail: as bad data, not as an error, and with the rows that show it."""
    good.execute(BREAKS[check])

    results = {result.check.id: result for result in good.review(check.partition(":")[0]).results}

    assert results[check].outcome == "failed", results[check].note
    assert results[check].affected >= 1
    assert results[check].rows or check == "landing:columns_are_those_of_the_contract"


def test_failing_rows_name_ticket_value_and_evidence(good: GoodWarehouse) -> None:
    """A failing row says which ticket, which field, which value, and links the evidence."""
    good.execute(f"update landing.ticket_signals set sentiment = 'furious' {ONE}")

    results = {result.check.name: result for result in good.review("landing").results}

    (row,) = results["sentiment_is_known"].rows
    assert (row.source_system, row.ticket_id, row.field, row.value) == ("zendesk", "T-1", "sentiment", "furious")
    assert row.evidence_url == "https://evidence.example/T-1"


def test_hours_with_a_held_publish_do_not_count_as_usual(good: GoodWarehouse) -> None:
    """Past incidents are left out of the comparison: ten bad days do not make the next one normal."""
    good.execute(MORE_VERSIONS + HISTORY.format(versions=3600))
    good.execute("insert into ops.held_hours select distinct hour from ops.landed_hours")
    good.execute(
        "insert into ops.landed_hours select date_trunc('hour', now(), 'UTC') - days * interval '1 day', 'zendesk', 20"
        " from generate_series(11, 20) as days"
    )

    results = {result.check.name: result for result in good.review("landing").results}

    assert results["hourly_volume_is_not_high"].outcome == "failed"


def test_a_version_lost_after_the_build_is_no_failure_of_the_build(good: GoodWarehouse) -> None:
    """A conflict takes the latest version while the candidates are checked: what was built of it is right for its window.

    Guard: restated tickets that the window's end has not seen are passed over. Without it the check fails both times.
    """
    good.execute(f"update build.fct_ticket_signals set version = 2 {ONE}")
    built_until = good.snapshot()
    good.execute("insert into landing.restated_tickets (source_system, ticket_id) values ('zendesk', 'T-1')")

    found = [
        {result.check.name: result.outcome for result in good.review("candidates", until).results}["every_landed_ticket_is_built"]
        for until in (built_until, good.snapshot())
    ]

    assert found == ["passed", "failed"]


def test_too_little_history_passes_and_says_so(good: GoodWarehouse) -> None:
    """A young warehouse has nothing to compare its volume with."""
    results = {result.check.name: result for result in good.review("landing").results}

    assert results["hourly_volume_is_not_low"].said == "passed (too little history)"
