"""Edits, selections and what is shown of a dead letter: the pure part, by property."""

import json
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.dead_letters.audit import Done
from ops.dead_letters.desk import MOST_BYTES, MOST_LETTERS, portions
from ops.dead_letters.edits import BadEdit, edit, parse_assignment, shown
from ops.dead_letters.listing import page, table
from ops.dead_letters.outcomes import counted, is_good
from ops.dead_letters.reading import Letter
from ops.dead_letters.selection import BadSelection, Selection, parse_moment, parse_reason, parse_ticket
from ops.dead_letters.visible import visible, visible_bytes
from stream.core.contract.rows import TicketSignal
from stream.core.decode import decode
from stream.core.records import Change
from stream.worker import read_policy
from tests.unit.stream.events import SIGNALS, changed, record, signal

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
POLICY = read_policy()
EDITABLE = sorted(set(TicketSignal.__struct_fields__) - {"source_system", "ticket_id", "version", "raw_tags"})
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT, lambda one: st.lists(one) | st.dictionaries(TEXT, one)
)


def edited(row: dict[str, Any], *assignments: str) -> tuple[dict[str, Any], list[Any]]:
    """The envelope after these edits, and what they changed."""
    payload, edits = edit(changed(row, 77).value, "ticket_signals", [parse_assignment(one) for one in assignments])
    return json.loads(payload or b""), edits


@given(st.sampled_from(EDITABLE), TEXT)
def test_an_edit_changes_its_field_and_nothing_else(field: str, value: str) -> None:
    """Whatever is set, every other field, the operation and the source position stay as they were."""
    before = json.loads(changed(signal(), 77).value or b"")
    after, edits = edited(signal(), f"{field}={value}")

    set_to = after["after"].pop(field)
    old = before["after"].pop(field)
    assert after == before
    assert set_to == value or (value == "null" and set_to is None)
    assert [(field, shown(old), shown(set_to))] == [tuple(one) for one in edits]


@given(st.dictionaries(TEXT, JSON, max_size=4), st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3), JSON)
def test_an_edit_inside_the_metrics_leaves_the_other_metrics(metrics: dict[str, Any], path: list[str], value: Any) -> None:
    """`custom_metrics.a.b=1` sets that value, in text or JSON, and keeps its neighbours."""
    for name in "abc":
        metrics.pop(name, None)
    after, _ = edited(signal(custom_metrics=json.dumps(metrics)), f"custom_metrics.{'.'.join(path)}={json.dumps(value)}")
    found = json.loads(after["after"]["custom_metrics"])
    inner = found
    for name in path:
        inner = inner[name]

    assert inner == value
    assert {name: found[name] for name in metrics} == metrics


def test_numbers_that_are_not_edited_keep_their_spelling() -> None:
    """12.50 stays 12.50 and a number beyond any float keeps its digits: only what was edited is written anew."""
    after, _ = edited(signal(custom_metrics='{"a": 12.50, "b": 123456789012345678901234567890.1}'), "custom_metrics.c=1")

    assert after["after"]["custom_metrics"] == '{"a":12.50,"b":123456789012345678901234567890.1,"c":1}'


@given(st.sampled_from(["source_system", "ticket_id"]), TEXT)
def test_whose_record_it_is_cannot_be_edited(field: str, value: str) -> None:
    """An identity that is there stays: one ticket's words never move to another."""
    with pytest.raises(BadEdit, match="cannot be changed"):
        edited(signal(), f"{field}={value}")


def test_a_missing_identity_can_be_filled_in() -> None:
    """A record without a ticket id gets one by an edit, and is a change then."""
    payload, _ = edit(changed(signal(ticket_id=""), 5).value, "ticket_signals", [parse_assignment("ticket_id=t9")])
    decoded = decode(record(payload), POLICY)

    assert isinstance(decoded, Change)
    assert decoded.identity == ("zendesk", "t9")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sentiment", "write field=value"),
        ("=x", "write field=value"),
        ("mood=bad", "no such field; the contract has account_id"),
        ("sentiment.x=1", "only custom_metrics has fields"),
        ("custom_metrics.=1", "write field=value"),
        ("driver=\udcff", "not UTF-8"),
    ],
)
def test_an_edit_that_means_nothing_is_refused_with_the_reason(text: str, said: str) -> None:
    """A typing mistake is told before anything is touched."""
    with pytest.raises(BadEdit, match=said):
        parse_assignment(text)


@pytest.mark.parametrize(
    ("payload", "assignment", "said"),
    [
        (b"{", "sentiment=negative", "no JSON object"),
        (b'{"op": "d", "after": null}', "sentiment=negative", "holds no row"),
        (changed(signal(custom_metrics="[1]"), 1).value, "custom_metrics.a=1", "set it whole"),
        (changed(signal(custom_metrics='{"a": 1}'), 1).value, "custom_metrics.a.b=1", "a is no object"),
        (changed(signal(), 1).value, "version=three", "write it like 3"),
        (changed(signal(), 1).value, "raw_tags=refund", "write it like"),
        (changed(signal(), 1).value, "plan=pro", "ticket_signals has no field plan"),
    ],
)
def test_an_edit_that_does_not_fit_the_record_is_refused(payload: bytes, assignment: str, said: str) -> None:
    """What cannot be edited says why, and stays."""
    with pytest.raises(BadEdit, match=said):
        edit(payload, "ticket_signals", [parse_assignment(assignment)])


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_shown(text: str) -> None:
    """Controls, direction marks and the like come out as escapes, from text and from bytes."""
    for out in (visible(text), visible_bytes(text.encode("utf-8", "surrogatepass"))):
        assert not {unicodedata.category(one) for one in out} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


@given(JSON)
def test_what_is_kept_of_an_edit_can_be_stored(value: Any) -> None:
    """Old and new values are JSON that jsonb takes: no NUL, no lone surrogate."""
    text = msgspec.json.encode(shown(value)).decode()

    assert "\\u0000" not in text
    assert "\0" not in text


@given(st.lists(st.integers(0, MOST_BYTES * 2), max_size=600))
def test_portions_hold_every_letter_once_in_order_and_fit(sizes: list[int]) -> None:
    """No letter is left out or taken twice; a portion is small in number and in bytes."""
    letters = list(enumerate(sizes))
    found = list(portions(letters))

    assert [number for portion in found for number in portion] == [number for number, _ in letters]
    assert all(len(portion) <= MOST_LETTERS for portion in found)
    assert all(len(portion) == 1 or sum(sizes[number] for number in portion) <= MOST_BYTES for portion in found)


@given(st.text(min_size=1).filter(lambda text: ":" not in text), st.text(min_size=1))
def test_a_ticket_is_read_as_it_is_written(system: str, ticket_id: str) -> None:
    """The first colon divides; a ticket's id may hold more of them."""
    assert parse_ticket(f"{system}:{ticket_id}") == (system, ticket_id)


@pytest.mark.parametrize("text", ["zendesk", ":1", "zendesk:", ""])
def test_half_a_ticket_is_refused(text: str) -> None:
    """Without both halves nobody is meant."""
    with pytest.raises(BadSelection, match="source_system:ticket_id"):
        parse_ticket(text)


def test_moments() -> None:
    """Ages count back from now; dates are UTC unless they say otherwise; anything else is refused."""
    assert parse_moment("90m", NOW) == NOW - timedelta(minutes=90)
    assert parse_moment("3d", NOW) == NOW - timedelta(days=3)
    assert parse_moment("2026-11-24", NOW) == datetime(2026, 11, 24, tzinfo=UTC)
    assert parse_moment("2026-11-24T10:00+02:00", NOW) == datetime(2026, 11, 24, 8, tzinfo=UTC)
    for wrong in ("yesterday", "3", "99999999999999d", ""):
        with pytest.raises(BadSelection):
            parse_moment(wrong, NOW)


def test_a_reason_must_be_one_of_the_list() -> None:
    """A misspelt reason would select nothing and look like good news."""
    with pytest.raises(BadSelection, match="unknown_enum_value"):
        parse_reason("unknown_enum")


def test_an_id_is_meant_whatever_its_status() -> None:
    """The status narrows everything but ids."""
    assert "status" not in Selection(ids=(3,)).condition()[0]
    assert "status" in Selection(reasons=("conflict",)).condition()[0]
    assert Selection().is_empty
    assert not Selection(everything=True).is_empty


LETTER = Letter(
    7, "ticket_signals", "unknown_enum_value", "sentiment = 'fur\x1b[31mious'", "Correct the value.", "zendesk", "t1", None, None,
    [77], SIGNALS, 3, 41, 45, 2, NOW, NOW, "open", None, None, b'{"ticket_id":"t1"}', b'{"op":"u","n":12.50,"x":"\x9b \xff"}',
)  # fmt: skip


def test_a_page_says_everything_and_obeys_nobody() -> None:
    """Why, where from, what to do, what was done and the record, with controls written out."""
    trail = [
        {"at": NOW, "action": "replay", "by": "kim", "why": "", "outcome": "rejected", "detail": "still",
         "edits": [{"field": "sentiment", "old": "furious", "new": "angry"}]},
    ]  # fmt: skip
    text = "\n".join(page(LETTER, trail, "rejected"))

    for part in (
        "unknown_enum_value", "Correct the value.", "zendesk:t1", f"{SIGNALS}, partition 3, offset 41", "77", "2 times",
        "fur\\x1b[31mious", "replay by kim: rejected, still", 'sentiment: "furious" -> "angry"', "12.50", "\\xff",
    ):  # fmt: skip
        assert part in text
    assert "\x1b" not in text


def test_a_table_counts_what_it_does_not_show() -> None:
    """The last line counts all letters by reason, however few are shown."""
    lines = table([LETTER], {"unknown_enum_value": 1200, "conflict": 1})

    assert lines[-1] == "1,201 in all, the newest 1 shown: unknown_enum_value 1,200, conflict 1"
    assert table([], {}) == ["no dead letters"]


def test_all_is_good_when_every_letter_is_closed() -> None:
    """One letter that stays open makes the command's exit code 1."""
    closed, still = Done(1, "conflict", "applied", status="replayed"), Done(2, "conflict", "conflict")

    assert is_good([closed])
    assert not is_good([closed, still])
    assert counted([closed, still]) == "2 letters: 1 applied, 1 conflict"
