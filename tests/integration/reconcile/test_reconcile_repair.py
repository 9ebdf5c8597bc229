"""`cx reconcile --repair` on two real databases; the read that the connector would make is made by the test."""

from dataclasses import replace
from typing import Any

import pytest

from ops.reconcile import run as runs
from ops.reconcile.run import Request, TableReport, run
from ops.reconcile.verdicts import Kind
from stream.core.positions import reached
from stream.kafka import KafkaAccess
from tests.integration.reconcile.line import Line
from tests.integration.reconcile.test_reconcile_comparison import TAMPERING


def repaired(line: Line, table: str = "ticket_signals", **choices: Any) -> TableReport:
    """A repair during whose verification everything that was asked for lands."""
    request = replace(Request(line.store_url, line.warehouse_url, KafkaAccess(""), tables=(table,), repairs=True), **choices)

    def settle(position: int) -> None:
        for (row_filter,) in line.store(
            "delete from enrichment.cdc_signal returning data::json #>> '{additional-conditions,0,filter}'"
        ):
            line.land(table, row_filter)

    return run(request, settle=settle)[0]


def test_every_tampered_ticket_comes_back(line: Line) -> None:
    """F19: after the repair the sides are equal, history included, and the repair left its trace."""
    before = line.warehouse("select idempotency_key, content_hash from landing.ticket_signal_versions order by 1")
    for statement in TAMPERING.values():
        line.warehouse(statement)
    report = repaired(line)
    assert (report.repaired, report.left.differences) == (8, [])
    assert report.left.verified_through
    assert line.warehouse("select idempotency_key, content_hash from landing.ticket_signal_versions order by 1") == before
    actions = {action for (action,) in line.warehouse("select distinct action from ops.repairs")}
    assert actions == {"removed_version", "ended_life"}


def test_older_versions_survive_the_repair_of_a_newer_one(line: Line) -> None:
    """Version 1 is right and stays; version 2 was altered, goes and comes back."""
    line.store("update enrichment.ticket_signals set version = 2, idempotency_key = 'k2' where ticket_id = 'T-1'")
    line.land(condition="ticket_id = 'T-1'")
    line.warehouse("update landing.ticket_signals set sentiment = 'positive' where ticket_id = 'T-1'")
    assert not repaired(line).left.differences
    assert line.warehouse("select version from landing.ticket_signal_versions where ticket_id = 'T-1' order by 1") == [(1,), (2,)]


def test_repaired_rows_land_anew_for_incremental_readers(line: Line) -> None:
    """The marts must see the repair: the latest row carries a transaction that an earlier snapshot did not see."""
    line.warehouse("update landing.ticket_signals set sentiment = 'negative' where ticket_id = 'T-1'")
    [(snapshot,)] = line.warehouse("select pg_current_snapshot()::text")
    repaired(line)
    seen = "select pg_visible_in_snapshot(landed_xid, %s::pg_snapshot) from landing.ticket_signals where ticket_id = 'T-1'"
    assert line.warehouse(seen, [snapshot]) == [(False,)]


def test_an_extra_ticket_ends_with_a_tombstone(line: Line) -> None:
    """Its rows go by the rules of a delete, and no replay brings it back."""
    line.store("delete from enrichment.ticket_signals where ticket_id = 'T-1'")
    assert not repaired(line).left.differences
    assert line.warehouse("select count(*) from landing.ticket_signal_versions where ticket_id = 'T-1'") == [(0,)]
    [(ended,)] = line.warehouse("select deleted_position from landing.deleted_tickets where ticket_id = 'T-1'")
    [(position,)] = line.store("select (pg_current_wal_insert_lsn() - '0/0')::bigint")
    assert 0 < ended <= reached(position)
    counted = "applied + duplicate + stale + conflict + rejected + deleted - redelivered + missing = next_offset - first_offset"
    assert line.warehouse(f"select bool_and({counted}) from landing.consumed_records") == [(True,)]


def test_readers_hear_that_a_false_name_is_gone(line: Line) -> None:
    """The version returns to its ticket; nothing is left under the other name, also where no extra row may be ended.

    Guard: VANISHED. Without it nothing says that the other ticket is gone, and the marts keep it.
    """
    line.warehouse("update landing.ticket_signals set ticket_id = 'X-7' where ticket_id = 'T-7'")
    assert not repaired(line, remove_at_most=0).left.differences
    assert line.warehouse("select ticket_id, deleted_position from landing.deleted_tickets") == [("X-7", 0)]


def test_a_ticket_created_again_during_the_repair_is_not_ended(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Absence is looked for after the position of the tombstone was taken."""
    line.store("create table kept as select * from enrichment.ticket_signals where ticket_id = 'T-1'")
    line.store("delete from enrichment.ticket_signals where ticket_id = 'T-1'")
    original = runs.repair

    def create_then_repair(*arguments: Any, **others: Any) -> Any:
        line.store("insert into enrichment.ticket_signals select * from kept")
        return original(*arguments, **others)

    monkeypatch.setattr(runs, "repair", create_then_repair)
    assert not repaired(line).left.differences
    assert line.warehouse("select count(*) from landing.deleted_tickets") == [(0,)]
    assert line.warehouse("select count(*) from landing.ticket_signals where ticket_id = 'T-1'") == [(1,)]


def test_a_truncated_store_is_not_copied_into_the_warehouse(line: Line) -> None:
    """F20: more extra rows than allowed are all left alone, and the report says so."""
    line.store("truncate enrichment.ticket_signals")
    report = repaired(line, remove_at_most=99)
    assert report.refused == 100
    assert report.left.of(Kind.EXTRA) == 100
    assert line.warehouse("select count(*) from landing.ticket_signals") == [(100,)]


def test_an_accepted_loss_is_carried_out(line: Line) -> None:
    """With the number allowed, the extra rows end."""
    line.store("delete from enrichment.ticket_signals")
    assert not repaired(line, remove_at_most=100).left.differences
    assert line.warehouse("select count(*) from landing.ticket_signals") == [(0,)]


def test_a_conflict_whose_letter_was_lost_becomes_one_again(line: Line) -> None:
    """The standing version is as it landed, so it stands: the store's content goes to the dead letters and is explained."""
    line.store("update enrichment.ticket_signals set effort = 'low' where ticket_id = 'T-1'")
    report = repaired(line)
    assert [one.kind for one in report.left.verdicts] == [Kind.EXPLAINED]
    assert line.warehouse("select effort from landing.ticket_signals where ticket_id = 'T-1'") == [("high",)]
    assert line.warehouse("select count(*) from ops.repairs") == [(0,)]


def test_a_false_tombstone_goes(line: Line) -> None:
    """It stands at a position the store has not reached and would end every life to come."""
    line.warehouse("delete from landing.ticket_signals where ticket_id = 'T-1'")
    line.warehouse("insert into landing.deleted_tickets values ('zendesk', 'T-1', 1e38)")
    assert not repaired(line).left.differences
    assert line.warehouse("select count(*) from landing.deleted_tickets") == [(0,)]


def test_accounts_come_back_and_extra_ones_go(line: Line) -> None:
    """The small tables are repaired by the same read."""
    line.warehouse("update landing.accounts set plan = 'free' where account_id = 'A-1'")
    line.warehouse("delete from landing.accounts where account_id = 'A-2'")
    line.warehouse("insert into landing.accounts (account_id, content_hash, source_position) values ('ghost', 'x', 1e38)")
    [(snapshot,)] = line.warehouse("select pg_current_snapshot()::text")
    report = repaired(line, "accounts")
    assert (report.repaired, report.left.differences) == (3, [])
    seen = (
        "select is_deleted, pg_visible_in_snapshot(landed_xid, %s::pg_snapshot) from landing.accounts where account_id = 'ghost'"
    )
    assert line.warehouse(seen, [snapshot]) == [(True, False)]


def test_identities_with_quotes_and_backslashes_are_asked_for(line: Line) -> None:
    """The filter of the signal takes any text."""
    odd = 'it\'s \\ "odd" %'
    line.store("update enrichment.ticket_signals set ticket_id = %s, idempotency_key = 'odd' where ticket_id = 'T-1'", [odd])
    report = repaired(line, remove_at_most=5)
    assert not report.left.differences
    assert line.warehouse("select count(*) from landing.ticket_signals where ticket_id = %s", [odd]) == [(1,)]
