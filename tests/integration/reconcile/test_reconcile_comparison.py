"""`cx reconcile` on two real databases: what it names, what it explains, what it writes down."""

import json
from dataclasses import replace

import psycopg
import pytest

from ops.dead_letters.audit import Who
from ops.dead_letters.desk import replay_all
from ops.dead_letters.edits import parse_assignment
from ops.dead_letters.selection import Selection
from ops.reconcile import report
from ops.reconcile.run import CouldNotRun, Request, TableReport, run
from ops.reconcile.settled import NotSettled
from ops.reconcile.verdicts import Kind
from stream.kafka import KafkaAccess
from tests.integration.reconcile.line import Line


def compared(line: Line, **choices: object) -> dict[str, TableReport]:
    """A run in a world where everything has landed already."""
    request = replace(Request(line.store_url, line.warehouse_url, KafkaAccess("")), **choices)  # type: ignore[arg-type]
    return {one.left.table: one for one in run(request, settle=lambda position: None)}


def named(found: TableReport) -> dict[str, Kind]:
    return {one.identity[-1]: one.kind for one in found.found.verdicts}


def test_equal_sides_are_equal_and_verified(line: Line) -> None:
    """Nothing differs: every table is verified through a moment of the store's clock, and a row of it is written."""
    reports = compared(line)
    assert report.is_equal(list(reports.values()))
    assert all(one.left.verified_through for one in reports.values())
    rows = line.warehouse("select table_name, outcome, store_rows, warehouse_rows from ops.reconciliations order by 1")
    assert rows == [("accounts", "equal", 5, 5), ("tag_taxonomy", "equal", 0, 0), ("ticket_signals", "equal", 100, 100)]


TAMPERING = {
    "T-1": "update landing.ticket_signals set sentiment = 'negative', effort = 'low' where ticket_id = 'T-1'",
    "T-2": "delete from landing.ticket_signals where ticket_id = 'T-2'",
    "T-3": "update landing.ticket_signals set custom_metrics = '{}' where ticket_id = 'T-3'",
    "T-4": "update landing.ticket_signals set account_id = null where ticket_id = 'T-4'",
    "T-5": "update landing.ticket_signal_versions set raw_tags = '{}' where ticket_id = 'T-5'",
    "T-6": "delete from landing.ticket_signal_versions where ticket_id = 'T-6'",
    "X-7": "update landing.ticket_signals set ticket_id = 'X-7' where ticket_id = 'T-7'",
}


def test_exactly_the_tampered_tickets_are_named(line: Line) -> None:
    """F19: rows changed and removed by hand are named, each with what is wrong, and no other."""
    for statement in TAMPERING.values():
        line.warehouse(statement)
    found = compared(line)["ticket_signals"]
    different = dict.fromkeys(("T-1", "T-3", "T-4", "T-5"), Kind.DIFFERENT)
    assert named(found) == {**different, **dict.fromkeys(("T-2", "T-6", "T-7"), Kind.MISSING), "X-7": Kind.EXTRA}
    columns = {one.identity[-1]: one.columns for one in found.found.verdicts}
    assert columns["T-1"] == ("sentiment", "effort")
    assert columns["T-3"] == ("custom_metrics",)
    assert found.left.verified_through is None


def test_values_are_compared_by_meaning(line: Line) -> None:
    """Another scale of a number, another order of keys, another re-delivery time are no difference."""
    line.store(
        "update enrichment.ticket_signals set sentiment_score = sentiment_score * 1.0000, updated_at = now() + interval '1 hour'"
    )
    line.store(
        "update enrichment.ticket_signals set custom_metrics = '{\"seconds\": 1.500, \"csat\": 1}' where ticket_id = 'T-1'"
    )
    line.store("update enrichment.accounts set updated_at = now() + interval '1 hour'")
    assert report.is_equal(list(compared(line).values()))


def test_null_collections_are_empty_ones(line: Line) -> None:
    """The stream lands null tags and metrics as empty: no difference."""
    nothing = "raw_tags = null, custom_metrics = null, version = 2, idempotency_key = 'k2'"
    line.store(f"update enrichment.ticket_signals set {nothing} where ticket_id = 'T-1'")
    line.land(condition="ticket_id = 'T-1'")
    assert report.is_equal(list(compared(line).values()))


def test_an_older_version_written_late_is_explained(line: Line) -> None:
    """The store's row is version 1, the warehouse's version 2, whose history holds version 1 too."""
    line.store("update enrichment.ticket_signals set version = 2, idempotency_key = 'k2' where ticket_id = 'T-1'")
    line.land(condition="ticket_id = 'T-1'")
    line.store("update enrichment.ticket_signals set version = 1, idempotency_key = 'zendesk:1:1' where ticket_id = 'T-1'")
    found = compared(line)["ticket_signals"]
    assert named(found) == {"T-1": Kind.EXPLAINED}
    assert found.left.verified_through


def test_a_conflict_is_explained_by_its_dead_letter(line: Line) -> None:
    """Other content under the same key: the first stands, the store holds the second, the letter holds it too."""
    line.store("update enrichment.ticket_signals set effort = 'low' where ticket_id = 'T-1'")
    line.land(condition="ticket_id = 'T-1'")
    assert named(compared(line)["ticket_signals"]) == {"T-1": Kind.EXPLAINED}


def test_a_broken_row_is_dead_lettered_until_it_changes_again(line: Line) -> None:
    """The letter accounts for the content it holds and for no later one."""
    line.store(
        "update enrichment.ticket_signals set sentiment = 'furious', version = 2, idempotency_key = 'k2' where ticket_id = 'T-1'"
    )
    line.land(condition="ticket_id = 'T-1'")
    assert named(compared(line)["ticket_signals"]) == {"T-1": Kind.DEAD_LETTERED}
    line.store("update enrichment.ticket_signals set sentiment = 'angry' where ticket_id = 'T-1'")
    assert named(compared(line)["ticket_signals"]) == {"T-1": Kind.DIFFERENT}


def test_an_edit_at_a_replay_is_explained_while_it_stands(line: Line) -> None:
    """The warehouse holds what a person made of the row, on purpose; altered afterwards, or changed in the store, it differs."""
    line.store(
        "update enrichment.ticket_signals set sentiment = 'furious', version = 2, idempotency_key = 'k2' where ticket_id = 'T-1'"
    )
    line.land(condition="ticket_id = 'T-1'")
    edit = [parse_assignment("sentiment=negative")]
    [done] = replay_all(line.warehouse_url, Selection(everything=True), edit, Who("kim"), lambda *told: None)
    assert done.outcome == "applied"
    assert named(compared(line)["ticket_signals"]) == {"T-1": Kind.EXPLAINED}
    line.warehouse("update landing.ticket_signals set effort = 'low' where ticket_id = 'T-1'")
    assert named(compared(line)["ticket_signals"]) == {"T-1": Kind.DIFFERENT}


def test_a_truncated_store_leaves_every_row_extra(line: Line) -> None:
    """F20: the difference shows, and nothing is removed without being asked."""
    line.store("truncate enrichment.ticket_signals")
    found = compared(line)["ticket_signals"]
    assert found.found.of(Kind.EXTRA) == 100
    assert line.warehouse("select count(*) from landing.ticket_signals") == [(100,)]


def test_columns_carried_into_metrics_are_no_difference(line: Line) -> None:
    """A column beyond the contract travels in custom_metrics; the comparison leaves it out on both sides."""
    line.store("alter table enrichment.ticket_signals add column mood text default 'fine'")
    line.store(
        "update enrichment.ticket_signals set version = 2, idempotency_key = idempotency_key || 'b' where ticket_id = 'T-1'"
    )
    line.land(condition="ticket_id = 'T-1'")
    assert line.warehouse("select custom_metrics ->> 'mood' from landing.ticket_signals where ticket_id = 'T-1'") == [("fine",)]
    assert report.is_equal(list(compared(line).values()))


def test_a_store_with_other_types_is_compared_as_text(line: Line) -> None:
    """A retyped column does not stop the comparison."""
    line.store("alter table enrichment.ticket_signals alter column version type text, alter column churn_risk type varchar(20)")
    line.store("update enrichment.ticket_signals set version = 'two' where ticket_id = 'T-1'")
    assert named(compared(line)["ticket_signals"]) == {"T-1": Kind.DIFFERENT}


def test_a_moving_row_is_in_flight_and_never_different(line: Line) -> None:
    """The store's row changes between the reads of every round: no verdict, and nothing is verified."""
    line.store("update enrichment.ticket_signals set effort = 'low' where ticket_id = 'T-1'")

    def touch(position: int) -> None:
        line.store("update enrichment.ticket_signals set updated_at = now() where ticket_id = 'T-1'")

    [found] = run(Request(line.store_url, line.warehouse_url, KafkaAccess(""), tables=("ticket_signals",)), settle=touch)
    assert named(found) == {"T-1": Kind.IN_FLIGHT}
    assert found.left.verified_through is None


def test_a_change_that_lands_while_waiting_is_no_difference(line: Line) -> None:
    """What looks different at first has landed once the warehouse has settled."""
    line.store("update enrichment.ticket_signals set version = 2, idempotency_key = 'k2' where ticket_id = 'T-1'")
    [found] = run(
        Request(line.store_url, line.warehouse_url, KafkaAccess(""), tables=("ticket_signals",)),
        settle=lambda position: line.land(),
    )
    assert report.is_equal([found])
    assert not found.found.verdicts


def test_a_difference_alerts_once_more_each_run_and_its_end_closes_it(line: Line) -> None:
    """The alert fires while rows differ; the first clean run says ok, later ones say nothing."""
    line.warehouse("delete from landing.accounts where account_id = 'A-1'")
    compared(line)
    line.land("accounts")
    compared(line)
    compared(line)
    rows = line.warehouse("select fingerprint, state from ops.alert_outbox order by alert_id")
    assert rows == [("reconcile:accounts", "firing"), ("reconcile:accounts", "ok")]


def test_what_is_written_down_holds_no_payload(line: Line) -> None:
    """Rule 4: a deleted ticket must not live on in reconciliations, differences or alerts."""
    line.warehouse("update landing.ticket_signals set evidence_quote = 'secret words' where ticket_id = 'T-1'")
    line.store("update enrichment.ticket_signals set evidence_quote = 'secret words too' where ticket_id = 'T-1'")
    compared(line)
    for table in ("reconciliations", "reconciliation_differences", "alert_outbox"):
        rows = line.warehouse(f"select to_jsonb(t)::text from ops.{table} as t")
        assert rows
        assert not any("secret" in text for (text,) in rows)


def test_a_pipeline_that_does_not_settle_gives_no_verdict(line: Line) -> None:
    """The run says how many rows look different, alerts, and calls none of them so."""
    line.warehouse("delete from landing.ticket_signals where ticket_id = 'T-1'")

    def never(position: int) -> None:
        raise NotSettled("the worker is behind")

    with pytest.raises(CouldNotRun, match="the worker is behind; 1 rows look different"):
        run(Request(line.store_url, line.warehouse_url, KafkaAccess("")), settle=never)
    assert line.warehouse("select outcome from ops.reconciliations") == [("error",)]
    assert line.warehouse("select fingerprint, state from ops.alert_outbox") == [("reconcile:run", "firing")]


def test_a_store_that_is_away_cannot_be_compared(line: Line) -> None:
    """One sentence, and no stack trace."""
    with pytest.raises(CouldNotRun, match="ticket_signals: connection failed"):
        run(Request("postgresql://cx:x@127.0.0.1:1/store", line.warehouse_url, KafkaAccess("")), settle=lambda position: None)


def test_the_json_report_shows_both_values(line: Line) -> None:
    """Column by column, what the store holds and what the warehouse holds."""
    line.warehouse("update landing.ticket_signals set version = 9 where ticket_id = 'T-1'")
    document = json.loads(json.dumps(report.as_json(list(compared(line).values())), default=str))
    assert document["outcome"] == "different"
    [row] = document["tables"][0]["rows"]
    assert row["columns"] == {"version": {"store": 1, "warehouse": 9}}


def test_version_gaps_are_named_with_their_neighbours(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions 2 and 3 lie between 1 and 4 and never came."""
    line.store("update enrichment.ticket_signals set version = 4, idempotency_key = 'k4' where ticket_id = 'T-1'")
    line.land(condition="ticket_id = 'T-1'")
    monkeypatch.setattr("ops.reconcile.gaps.dense_systems", lambda: ("zendesk",))
    found = compared(line)["ticket_signals"]
    assert [str(gap) for gap in found.gaps] == ["zendesk T-1: versions 2 to 3 missing between 1 and 4"]
    assert report.is_equal([found])
    assert line.warehouse("select fingerprint from ops.alert_outbox") == [("reconcile:version_gaps",)]


def test_servers_that_hash_differently_are_refused(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe is answered by both servers; another answer means that hashes say nothing."""
    monkeypatch.setattr("ops.reconcile.queries.PROBE", "select current_database()")
    with pytest.raises(CouldNotRun, match="hash the same values differently"):
        compared(line)


def test_nothing_is_written_to_the_store(line: Line) -> None:
    """A comparison reads: a store that refuses every write can be compared."""
    with psycopg.connect(line.store_url, autocommit=True) as connection:
        connection.execute(
            "do $$ begin execute format('alter database %I set default_transaction_read_only = on', current_database()); end $$"
        )
    assert report.is_equal(list(compared(line).values()))
