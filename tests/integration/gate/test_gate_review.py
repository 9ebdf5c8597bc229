"""The gate over a warehouse: errors are errors, held tickets return, pages are written and thrown away."""

from pathlib import Path

import psycopg
import pytest

from expectations.gate import memory
from expectations.gate.run import CouldNotCheck
from expectations.gate.verdict import judge
from tests.integration.gate.conftest import GoodWarehouse

FURIOUS = "update landing.ticket_signals set sentiment = 'furious' where ticket_id in ('T-1', 'T-2')"


def outcomes(good: GoodWarehouse, suite: str = "landing") -> dict[str, str]:
    return {result.check.name: result.outcome for result in good.review(suite).results}


def test_every_review_reads_the_data_anew(good: GoodWarehouse) -> None:
    """One resident context: bad, good and bad again are told apart, nothing is remembered between reviews."""
    seen = []
    for sentiment in ("neutral", "furious", "neutral", "furious"):
        good.execute(f"update landing.ticket_signals set sentiment = '{sentiment}' where ticket_id = 'T-1'")
        seen.append(outcomes(good)["sentiment_is_known"])

    assert seen == ["passed", "failed", "passed", "failed"]


def test_an_expectation_that_cannot_run_is_an_error(good: GoodWarehouse) -> None:
    """A missing table errs the checks that need it, the others are judged, and nothing may be published."""
    good.execute("drop table build.fct_evidence")

    results = good.review("candidates").results

    errors = [result for result in results if result.outcome == "error"]
    assert [result.check.name for result in errors] == ["every_ticket_has_evidence"]
    assert "fct_evidence" in errors[0].note
    assert judge(results).decision == "error"


def test_a_suite_that_cannot_run_at_all_is_one_error(good: GoodWarehouse) -> None:
    """When the batch itself cannot be read, there is one reason and not twenty alerts."""
    good.execute("drop table build.fct_ticket_signals cascade")

    with pytest.raises(CouldNotCheck, match="fct_ticket_signals"):
        good.review("candidates")


def test_the_copy_of_a_batch_is_made_anew_and_does_not_stay(good: GoodWarehouse) -> None:
    """What a killed publisher left behind is not judged, and nothing is left by a review."""
    good.execute("create table build.batch_of_landing as select 'T-0' as ticket_id")

    assert set(outcomes(good).values()) == {"passed"}

    assert good.execute("select to_regclass('build.batch_of_landing')") == [(None,)]


def test_failing_tickets_are_offered_for_holding_and_return_when_they_pass(good: GoodWarehouse) -> None:
    """Held tickets are checked in every review, and released by the one in which they pass."""
    good.gate.holdable = ("landing:sentiment_is_known",)
    good.execute(FURIOUS)
    first = good.review("landing")
    with psycopg.connect(good.url, autocommit=True) as connection:
        memory.change_holds(connection, first.holds, first.releases)
    good.execute("update landing.ticket_signals set sentiment = 'neutral' where ticket_id = 'T-2'")

    second = good.review("landing")

    assert sorted(hold.ticket for hold in first.holds) == [("zendesk", "T-1"), ("zendesk", "T-2")]
    assert judge(first.results).decision == "warning"
    assert [hold.ticket for hold in second.holds] == [("zendesk", "T-1")]
    assert second.releases == (("zendesk", "T-2"),)


def test_a_policy_that_cannot_be_read_is_an_error(good: GoodWarehouse, tmp_path: Path) -> None:
    """A broken threshold name ends in a sentence that names the file and the entry."""
    good.gate.thresholds = {}
    path = tmp_path / "policy.yml"
    path.write_text("thresholds: {max_future_minutes: soon}")
    from expectations import policy as policies

    with pytest.raises(policies.PolicyError, match=r"policy.yml: .*soon"):
        policies.load(path)


def test_data_docs_have_a_page_for_a_failure_and_stay_within_bounds(good: GoodWarehouse, tmp_path: Path) -> None:
    """The address answered is a file that exists; old runs are thrown away."""
    good.execute(FURIOUS)
    good.review("landing")
    for number in range(25):
        addresses = good.gate.document(["landing"], f"20261124T0900{number:02d}.000000Z")

    page = Path(addresses["landing"].removeprefix("file://"))
    assert "furious" not in page.read_text()
    assert "Tickets carry a sentiment" in page.read_text() or "sentiment" in page.read_text()
    assert (tmp_path / "docs" / "index.html").exists()
    assert len(list((tmp_path / "docs" / "validations" / "landing").iterdir())) <= 20
