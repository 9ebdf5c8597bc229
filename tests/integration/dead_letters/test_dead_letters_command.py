"""Listing, showing, selecting and discarding dead letters on a real warehouse."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from ops.dead_letters import reading
from ops.dead_letters.selection import Selection
from tests.integration.dead_letters.conftest import Bench
from tests.unit.stream.events import changed, record, signal

START = datetime(2026, 11, 1, tzinfo=UTC)
REASONS, STATUSES = ("conflict", "broken_json", "unknown_enum_value"), ("open", "replayed", "discarded", "resolved", "erased")
INSERT = """
insert into landing.dead_letters (
    fingerprint, table_name, reason, detail, remedy, topic, kafka_partition, kafka_offset, last_offset, status,
    source_system, ticket_id, first_seen_at, last_seen_at
)
values (%s, 'ticket_signals', %s, '', '', 't', 0, 0, 0, %s, %s, %s, %s, %s)
returning dead_letter_id
"""


@pytest.mark.parametrize("seed", range(8))
def test_a_selection_is_what_its_words_say(seed: int, bench: Bench) -> None:
    """SQL and a plain reading of the options choose the same letters, whatever is combined."""
    chance = random.Random(seed)
    rows: list[dict[str, Any]] = []
    with psycopg.connect(bench.url, autocommit=True) as connection:
        for number in range(80):
            first = START + timedelta(hours=chance.randrange(100))
            row = {
                "reason": chance.choice(REASONS), "status": chance.choice(STATUSES), "ticket": ("zendesk", chance.choice("ab")),
                "first": first, "last": first + timedelta(hours=chance.randrange(50)),
            }  # fmt: skip
            values = [str(number).encode(), row["reason"], row["status"], *row["ticket"], row["first"], row["last"]]
            [row["id"]] = connection.execute(INSERT, values).fetchone() or [0]
            rows.append(row)
        for _ in range(60):
            selection = Selection(
                ids=tuple(chance.sample(range(1, 81), chance.choice([0, 0, 3]))),
                reasons=tuple(chance.sample(REASONS, chance.choice([0, 1, 2]))),
                ticket=chance.choice([None, ("zendesk", "a"), ("other", "a")]),
                since=chance.choice([None, START + timedelta(hours=chance.randrange(150))]),
                until=chance.choice([None, START + timedelta(hours=chance.randrange(150))]),
                status=chance.choice([None, *STATUSES]),
            )
            expected = [row["id"] for row in rows if _meant(row, selection)]
            assert [number for number, _ in reading.sizes(connection, selection)] == expected, selection
            assert sum(reading.counts(connection, selection).values()) == len(expected)


def _meant(row: dict[str, Any], selection: Selection) -> bool:
    return (
        (not selection.ids or row["id"] in selection.ids)
        and (not selection.reasons or row["reason"] in selection.reasons)
        and (selection.ticket is None or row["ticket"] == selection.ticket)
        and (selection.since is None or row["last"] >= selection.since)
        and (selection.until is None or row["first"] < selection.until)
        and (bool(selection.ids) or selection.status is None or row["status"] == selection.status)
    )


def test_a_list_shows_the_newest_and_counts_all(bench: Bench) -> None:
    """Reasons are counted over everything selected; --json holds the same."""
    bench.land(*(changed(signal(f"t{n}", sentiment="furious"), n + 1) for n in range(5)), record(b"{"))
    listed = bench.cx("list", "--limit", "2")
    document = bench.json("list", "--reason", "broken_json")

    assert listed.code == 0
    assert listed.out.splitlines()[-1] == "6 in all, the newest 2 shown: unknown_enum_value 5, broken_json 1"
    assert (document["total"], document["by_reason"]) == (1, {"broken_json": 1})
    assert [(one["reason"], one["status"], one["topic"], one["kafka_offset"]) for one in document["letters"]] == [
        ("broken_json", "open", "cx.enrichment.ticket_signals", 5)
    ]


def test_an_empty_list_says_so(bench: Bench) -> None:
    """No letters is one line, and good."""
    assert bench.cx("list") == (0, "no dead letters\n", "")


def test_a_letter_is_shown_whole(bench: Bench) -> None:
    """The record, the reason, the origin, the remedy, what a replay would make of it today, and its trail."""
    bench.land(changed(signal(sentiment="fur\x1bious"), 10))
    bench.cx("replay", "--all", "--by", "kim", "--why", "just a try")
    shown, document = bench.cx("show", "1"), bench.json("show", "1")

    for part in (
        "unknown_enum_value", "Correct the value in the store, or add it to the contract and replay.", "zendesk:t1",
        "cx.enrichment.ticket_signals, partition 0, offset 0", "replay by kim (just a try): rejected", '"driver": "Billing"',
        "replayed now     rejected: unknown_enum_value",
    ):  # fmt: skip
        assert part in shown.out, part
    assert "\x1b" not in shown.out
    assert [(one["by"], one["outcome"]) for one in document["actions"]] == [("kim", "rejected")]
    assert '"sentiment": "fur' in document["payload"]


def test_a_record_can_be_taken_out_byte_by_byte(bench: Bench) -> None:
    """--raw prints exactly what was in Kafka."""
    one = changed(signal(sentiment="furious"), 10)
    bench.land(one)

    assert bench.cx("show", "1", "--raw").out.encode() == one.value


def test_a_discarded_letter_stays_with_its_reason(bench: Bench) -> None:
    """It is closed, counted nowhere as open, shown with who and why, and can still be replayed by its id."""
    bench.land(changed(signal(sentiment="furious"), 10))
    done = bench.cx("discard", "--reason", "unknown_enum_value", "--why", "a load test", "--by", "kim")

    assert done == (0, "1: discarded\n", "1 letter: 1 discarded\n")
    assert bench.cx("list").out == "no dead letters\n"
    assert bench.query("select status, status_reason from landing.dead_letters") == [("discarded", "a load test")]
    assert bench.query("select action, by, why, outcome from ops.dead_letter_actions") == [
        ("discard", "kim", "a load test", "discarded")
    ]
    assert bench.cx("replay", "--id", "1", "--set", "sentiment=neutral").outcomes == ["applied"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["replay"], "say which letters"),
        (["discard", "--all"], "Missing option '--why'"),
        (["discard", "--all", "--why", " "], "--why wants a reason"),
        (["discard", "--why", "x"], "say which letters"),
        (["list", "--reason", "sadness"], "the reasons are broken_json"),
        (["list", "--ticket", "4711"], "source_system:ticket_id"),
        (["list", "--since", "lately"], "is no time"),
        (["replay", "--all", "--set", "mood=bad"], "no such field"),
        (["show", "99"], "there is no dead letter 99"),
        (["replay", "--id", "99"], "no dead letter 99"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(words: list[str], said: str, bench: Bench) -> None:
    """What cannot be meant is refused before anything is touched."""
    bench.land(changed(signal(sentiment="furious"), 10))
    done = bench.cx(*words)

    assert (done.code, said in done.err) == (2, True), done
    assert bench.actions() == []


def test_a_letter_removed_by_hand_leaves_a_trace(bench: Bench) -> None:
    """Whoever deletes a row of the table is in the trail, which `show` still has."""
    bench.land(changed(signal(sentiment="furious"), 10))
    bench.query("delete from landing.dead_letters")

    assert bench.query("select dead_letter_id, action, by, outcome from ops.dead_letter_actions") == [
        (1, "removed", "cx", "open")
    ]


def test_what_the_stream_does_to_a_letter_is_in_its_trail(bench: Bench) -> None:
    """A conflict that is resolved because what stood was displaced, or seen again after a replay, has its rows too."""
    bench.land(changed(signal(), 20), changed(signal(driver="Other"), 10))
    bench.land(changed(signal(sentiment="furious", ticket="t5"), 30))
    bench.cx("replay", "--ticket", "zendesk:t5", "--set", "sentiment=negative")
    bench.land(changed(signal(sentiment="furious", ticket="t5"), 30))

    assert bench.actions() == [("replay", "applied"), ("reopened", "open")]
