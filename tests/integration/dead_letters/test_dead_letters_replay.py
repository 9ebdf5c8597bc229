"""Replay through the stream's own rules: F15, edits, audit, and that nothing comes back that was erased."""

import getpass

import pytest

from ops.dead_letters.desk import Desk
from stream.errors import RefusedRecord
from tests.integration.dead_letters.conftest import Bench
from tests.unit.stream.events import changed, deleted, envelope, record, signal

FURIOUS = {"sentiment": "furious"}


def test_a_replay_after_the_fix_is_applied_once_then_a_duplicate(bench: Bench) -> None:
    """F15: mended it is applied; again it is a duplicate; each is audited with what was edited."""
    bench.land(changed(signal(**FURIOUS), 10))
    first = bench.cx("replay", "--all", "--set", "sentiment=negative", "--why", "model drift")
    second = bench.cx("replay", "--id", "1", "--set", "sentiment=negative")

    assert [(one.code, one.outcomes) for one in (first, second)] == [(0, ["applied"]), (0, ["duplicate"])]
    assert bench.query("select sentiment, source_positions, kafka_partition, kafka_offset from landing.ticket_signals") == [
        ("negative", [10], 0, 0)
    ]
    assert bench.letters() == [(1, "unknown_enum_value", "replayed")]
    edits = [{"field": "sentiment", "old": "furious", "new": "negative"}]
    me = getpass.getuser()
    assert [("applied", me, "model drift", edits), ("duplicate", me, "", edits)] == bench.query(
        "select outcome, by, why, edits from ops.dead_letter_actions order by action_id"
    )


def test_a_replay_after_a_newer_version_is_stale(bench: Bench) -> None:
    """F15: the mended version joins the history; the newer one stays the latest."""
    bench.land(changed(signal(**FURIOUS), 10), changed(signal(version=2), 20))

    assert bench.cx("replay", "--all", "--set", "sentiment=negative").outcomes == ["stale"]
    assert bench.query("select version from landing.ticket_signals") == [(2,)]
    assert bench.query("select version from landing.ticket_signal_versions order by 1") == [(1,), (2,)]


def test_a_replay_keeps_its_place_in_the_source(bench: Bench) -> None:
    """A record without a readable identity, from before its ticket's delete, does not raise the ticket from the dead."""
    bench.land(changed(signal(ticket_id=""), 10)._replace(key=None), deleted("t1", 20), changed(signal(version=7), 30))
    done = bench.cx("replay", "--all", "--set", "ticket_id=t1", "--set", "evidence_quote=a secret")

    assert done.outcomes == ["stale"]
    assert bench.query("select version from landing.ticket_signal_versions") == [(7,)]
    assert bench.letters() == [(1, "missing_identity", "erased")]
    assert "a secret" not in str(bench.query("select edits from ops.dead_letter_actions"))


def test_what_is_still_broken_stays_open(bench: Bench) -> None:
    """A replay without the fix is rejected again, audited, and leaves letter, counts and alerts as they were."""
    bench.land(changed(signal(**FURIOUS), 10))
    before = bench.query("select * from landing.dead_letters"), bench.query("select count(*) from ops.alert_outbox")
    done = bench.cx("replay", "--all")

    assert (done.code, done.outcomes) == (1, ["rejected"])
    assert "unknown_enum_value: sentiment = 'furious'" in done.out
    assert before == (bench.query("select * from landing.dead_letters"), bench.query("select count(*) from ops.alert_outbox"))
    assert bench.actions() == [("replay", "rejected")]


def test_an_edit_that_does_not_fit_is_told_and_audited(bench: Bench) -> None:
    """A field of another table leaves the letter open, with the reason in the trail."""
    bench.land(changed(signal(**FURIOUS), 10))
    done = bench.cx("replay", "--all", "--set", "plan=pro")

    assert (done.code, done.out) == (1, "1: rejected (ticket_signals has no field plan)\n")
    assert bench.query("select detail from ops.dead_letter_actions") == [("ticket_signals has no field plan",)]


def test_a_replayed_record_is_counted_as_a_redelivery(bench: Bench) -> None:
    """Rule 6 holds with replays: outcomes less the redelivered add up to the offsets consumed."""
    bench.land(changed(signal(**FURIOUS), 10), changed(signal("t2"), 11))
    bench.cx("replay", "--all", "--set", "sentiment=negative")

    assert bench.query(
        """select applied, rejected, redelivered,
        applied + duplicate + stale + conflict + rejected + deleted - redelivered + missing = next_offset - first_offset
        from landing.consumed_records"""
    ) == [(2, 1, 1, True)]


def test_a_conflict_is_replayed_under_a_new_key_and_version(bench: Bench) -> None:
    """As it is, it conflicts again and stays open; with a key and a version of its own it is applied."""
    bench.land(changed(signal(), 10), changed(signal(driver="Other"), 20))
    again = bench.cx("replay", "--reason", "conflict")
    mended = bench.cx("replay", "--reason", "conflict", "--set", "idempotency_key=t1:2", "--set", "version=2")

    assert [(one.code, one.outcomes) for one in (again, mended)] == [(1, ["conflict"]), (0, ["applied"])]
    assert bench.query("select version, driver from landing.ticket_signal_versions order by 1") == [(1, "Billing"), (2, "Other")]
    assert bench.letters() == [(1, "conflict", "replayed")]


def test_a_flood_is_replayed_in_portions(bench: Bench) -> None:
    """500 letters of a broken release: all applied after the fix, with the progress on standard error; then no letter is left."""
    bench.land(*(changed(signal(f"t{number}", **FURIOUS), number + 1) for number in range(500)))
    done = bench.cx("replay", "--reason", "unknown_enum_value", "--set", "sentiment=neutral")

    assert (0, {"applied"}, 500) == (done.code, set(done.outcomes), len(done.outcomes))
    assert done.err.splitlines() == ["200 of 500", "400 of 500", "500 letters: 500 applied"]
    assert bench.query("select count(*) from landing.ticket_signals where sentiment = 'neutral'") == [(500,)]
    assert bench.cx("replay", "--all").err == "no such letters\n"


def test_the_last_closed_letter_of_a_reason_ends_its_alert(bench: Bench) -> None:
    """While one letter of the reason is open the alert stays."""
    bench.land(changed(signal("t1", **FURIOUS), 1), changed(signal("t2", **FURIOUS), 2))
    states = "select state from ops.alert_outbox where fingerprint = 'stream:rejected:unknown_enum_value' order by alert_id"
    bench.cx("replay", "--ticket", "zendesk:t1", "--set", "sentiment=neutral")
    between = bench.query(states)
    bench.cx("discard", "--ticket", "zendesk:t2", "--why", "a test ticket")

    assert (between, bench.query(states)) == ([("firing",)], [("firing",), ("ok",)])


def test_what_was_erased_stays_erased(bench: Bench) -> None:
    """A letter whose ticket was deleted cannot be replayed or discarded, and says why; what was once edited is gone too."""
    bench.land(changed(signal(**FURIOUS), 10))
    bench.cx("replay", "--all", "--set", "evidence_quote=a secret", "--set", "sentiment=negative")
    bench.land(changed(signal("t1", 2, **FURIOUS), 12), deleted("t1", 20))
    done = bench.cx("replay", "--id", "1", "--id", "2"), bench.cx("discard", "--id", "2", "--why", "gone")

    assert [(one.code, one.outcomes) for one in done] == [(1, ["erased", "erased"]), (1, ["erased"])]
    assert "its ticket was deleted" in done[0].out
    assert {"erased"} == {status for _, _, status in bench.letters()}
    trail = bench.query(
        "select action, by, edits, outcome from ops.dead_letter_actions where dead_letter_id = 1 order by action_id"
    )
    assert [action for action, *_ in trail] == ["replay", "erased"]
    assert trail[0][2] == [
        {"field": "evidence_quote", "old": None, "new": None},
        {"field": "sentiment", "old": None, "new": None},
    ]
    assert "a secret" not in str(bench.query("select t::text from ops.dead_letter_actions as t"))


def test_a_record_that_the_database_refuses_is_found_among_good_ones(bench: Bench) -> None:
    """The good letters of a portion are applied; the refused one stays open, with what the database said."""
    bench.query("alter table landing.ticket_signal_versions add check (driver <> 'Forbidden')")
    bench.land(*(changed(signal(f"t{n}", driver="Forbidden" if n == 3 else "Fine", **FURIOUS), n + 1) for n in range(6)))
    done = bench.cx("replay", "--all", "--set", "sentiment=negative")

    assert (done.code, done.outcomes) == (1, ["applied"] * 3 + ["rejected"] + ["applied"] * 2)
    assert [status for _, _, status in bench.letters()] == ["replayed"] * 3 + ["open"] + ["replayed"] * 2
    assert bench.query("select outcome, detail ~ 'refused' from ops.dead_letter_actions where dead_letter_id = 4") == [
        ("rejected", True)
    ]


def test_the_audit_row_and_the_effect_are_one_transaction(bench: Bench) -> None:
    """A replay that cannot be audited has no effect."""
    bench.land(changed(signal(**FURIOUS), 10))
    bench.query("alter table ops.dead_letter_actions add check (outcome <> 'applied')")

    assert bench.cx("replay", "--all", "--set", "sentiment=negative").code == 1
    assert bench.query("select * from landing.ticket_signals") == []
    assert bench.letters() == [(1, "unknown_enum_value", "open")]


def test_two_people_apply_it_once(bench: Bench) -> None:
    """Whoever comes second finds a duplicate: the rules decide, not the letter's status."""
    bench.land(changed(signal(**FURIOUS), 10))
    first = bench.cx("replay", "--id", "1", "--set", "sentiment=negative", "--by", "kim")
    second = bench.cx("replay", "--id", "1", "--set", "sentiment=negative", "--by", "lee")

    assert (first.outcomes, second.outcomes) == (["applied"], ["duplicate"])
    assert bench.query("select by from ops.dead_letter_actions order by action_id") == [("kim",), ("lee",)]


def test_accounts_are_replayed_too(bench: Bench) -> None:
    """A letter of a small table goes through the same command."""
    account = {"account_id": "acme", "name": "x" * 300, "plan": None, "segment": None, "owner": None, "updated_at": None}
    bench.land(record(envelope(account, 10), topic="cx.enrichment.accounts"))

    assert bench.cx("replay", "--all", "--set", "name=Acme").outcomes == ["applied"]
    assert bench.query("select name, source_position from landing.accounts") == [("Acme", 10)]


def test_a_warehouse_that_is_away_is_one_sentence(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """No stack trace; exit code 2."""
    monkeypatch.setenv("CX_WAREHOUSE_URL", "postgresql://cx:verysecret@127.0.0.1:1/nothing")
    for words in (("list",), ("show", "1"), ("replay", "--all"), ("discard", "--all", "--why", "x")):
        done = bench.cx(*words)
        assert (done.code, len(done.err.splitlines())) == (2, 1), done
        assert "verysecret" not in done.err


REFUSE_AT_COMMIT = """
create function refuse_at_commit() returns trigger language plpgsql as
$$ begin raise exception 'no' using errcode = 'check_violation'; end $$;
create constraint trigger refuse after insert on landing.ticket_signal_versions deferrable initially deferred
for each row execute function refuse_at_commit();
"""


def test_an_effect_that_fails_at_its_commit_is_not_audited_as_applied(bench: Bench) -> None:
    """The audit row is in the very transaction of the effect: it goes with it."""
    bench.land(changed(signal(**FURIOUS), 10))
    bench.query(REFUSE_AT_COMMIT)

    assert bench.cx("replay", "--all", "--set", "sentiment=negative").outcomes == ["rejected"]
    assert bench.actions() == [("replay", "rejected")]
    assert bench.letters() == [(1, "unknown_enum_value", "open")]


def test_a_desk_writes_nothing_when_its_work_fails(bench: Bench) -> None:
    """`transact` is one transaction, and its errors are the stream's."""
    desk = Desk(bench.url)
    with pytest.raises(RefusedRecord):
        desk.transact(lambda connection: connection.exec_driver_sql("select 1 / 0") and None)
    desk.close()
    assert bench.actions() == []
