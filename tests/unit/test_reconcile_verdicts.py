"""What a row that looked different turns out to be."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.reconcile.letters import Letter, same
from ops.reconcile.side import FullRow, Token
from ops.reconcile.verdicts import DIFFERENCES, Evidence, Kind, Version, judge

TICKET = ("zendesk", "T-1")


def row(content: int = 1, version: int = 1, transaction: str = "7", position: int = -1, **values: Any) -> FullRow:
    """A row whose content is one number."""
    stored = {"idempotency_key": f"k{version}", "version": version, "sentiment": f"s{content}", **values}
    return FullRow(Token(content, transaction), {"sentiment": content, "version": version}, stored, position)


def evidence(now: FullRow | None, landed: FullRow | None, **others: Any) -> Evidence:
    """Three reads between which the store's row did not move."""
    return Evidence(TICKET, now.token if now else None, landed, now, position=100, **others)


def letter(reason: str, values: dict[str, Any], status: str = "open", content_hash: bytes | None = None) -> Letter:
    return Letter(5, reason, status, values.get("version"), content_hash, 90, json.dumps({"after": values}).encode())


def test_equal_content_is_the_same() -> None:
    """Rows of equal hash are the same, whichever transaction wrote them."""
    assert judge(evidence(row(1, transaction="7"), row(1, transaction="9"))).kind == Kind.SAME


def test_a_row_only_the_store_holds_is_missing() -> None:
    """The warehouse had its time and does not hold it."""
    assert judge(evidence(row(), None)).kind == Kind.MISSING


def test_a_row_only_the_warehouse_holds_is_extra() -> None:
    """The store did not hold it before nor after."""
    assert judge(evidence(None, row())).kind == Kind.EXTRA


def test_a_different_row_names_its_columns() -> None:
    """Column by column, the ones whose hashes differ."""
    verdict = judge(evidence(row(1), row(2)))
    assert (verdict.kind, verdict.columns) == (Kind.DIFFERENT, ("sentiment",))


def test_a_row_that_moves_in_the_store_is_in_flight() -> None:
    """The store's row was written between the two reads: nothing can be said."""
    moving = Evidence(TICKET, Token(3, "6"), row(2), row(1), position=100)
    assert judge(moving).kind == Kind.IN_FLIGHT
    assert judge(moving, last_chance=True).kind == Kind.IN_FLIGHT


def test_a_warehouse_ahead_of_the_store_is_in_flight_until_nothing_moves_any_more() -> None:
    """A position beyond the store's means a change on its way, or, at the last look, somebody's hand."""
    ahead = evidence(row(1), row(2, position=101))
    assert judge(ahead).kind == Kind.IN_FLIGHT
    assert judge(ahead, last_chance=True).kind == Kind.DIFFERENT


def test_an_older_version_written_late_is_explained() -> None:
    """The history holds the store's row, and the latest row is a newer version."""
    history = (Version(1, 1), Version(2, 2))
    verdict = judge(evidence(row(1, 1), row(2, 2), history=history))
    assert (verdict.kind, verdict.reason) == (Kind.EXPLAINED, "version 1 was written after version 2")


def test_a_latest_version_that_was_altered_explains_nothing() -> None:
    """Somebody raised it above the store's by hand."""
    history = (Version(1, 1), Version(2, 2, is_altered=True))
    verdict = judge(evidence(row(1, 1), row(2, 2), history=history))
    assert (verdict.kind, verdict.reason) == (Kind.DIFFERENT, "somebody wrote into the row since it landed")


@pytest.mark.parametrize(("reason", "kind"), [("conflict", Kind.EXPLAINED), ("unknown_enum_value", Kind.DEAD_LETTERED)])
@pytest.mark.parametrize("landed", [row(2), None])
def test_a_dead_letter_with_the_stores_content_accounts_for_it(reason: str, kind: Kind, landed: FullRow | None) -> None:
    """The rules kept it out, and the letter holds it."""
    now = row(1)
    assert judge(evidence(now, landed, letters=(letter(reason, now.values),))).kind == kind


def test_a_dead_letter_with_other_content_accounts_for_nothing() -> None:
    """A letter about an earlier state of the ticket does not explain the present one."""
    now = row(1)
    old = letter("unknown_enum_value", {**now.values, "sentiment": "angry"})
    assert judge(evidence(now, row(2), letters=(old,))).kind == Kind.DIFFERENT


@pytest.mark.parametrize("status", ["replayed", "resolved", "erased"])
def test_a_settled_letter_accounts_for_nothing(status: str) -> None:
    """What it said is in the warehouse or gone, so a difference is a difference."""
    now = row(1)
    assert judge(evidence(now, None, letters=(letter("conflict", now.values, status),))).kind == Kind.MISSING


def test_content_hashes_decide_when_both_are_known() -> None:
    """A conflict's letter carries the contract's hash of its content."""
    letters = (letter("conflict", {}, content_hash=b"h"),)
    assert judge(evidence(row(1), row(2), letters=letters, content_hash=b"h")).kind == Kind.EXPLAINED
    assert judge(evidence(row(1), row(2), letters=letters, content_hash=b"x")).kind == Kind.DIFFERENT


@given(
    st.one_of(st.none(), st.integers(1, 3)),
    st.one_of(st.none(), st.integers(1, 3)),
    st.booleans(),
    st.integers(0, 200),
)
def test_only_rows_that_rested_are_called_different(store: int | None, landed: int | None, moved: bool, position: int) -> None:
    """A verdict of difference needs unequal content, a store at rest, and a warehouse not ahead of it."""
    now = row(store) if store else None
    before = Token(99, "1") if moved else (now.token if now else None)
    verdict = judge(Evidence(TICKET, before, row(landed, position=position) if landed else None, now, position=100))
    if verdict.kind in DIFFERENCES:
        assert store != landed
        assert not moved
        assert landed is None or position <= 100


@pytest.mark.parametrize(
    ("column", "stored", "captured"),
    [
        ("occurred_at", "2026-01-02T03:04:05+00:00", "2026-01-02T03:04:05.000000Z"),
        ("sentiment_score", 0.5, "0.500"),
        ("custom_metrics", '{"a": 1, "b": [2]}', '{"b": [2], "a": 1}'),
        ("custom_metrics", "{}", None),
        ("raw_tags", [], None),
        ("version", 3, 3),
        ("account_id", None, None),
    ],
)
def test_debezium_spells_the_same_value_otherwise(column: str, stored: Any, captured: Any) -> None:
    """A value is recognised in the connector's spelling."""
    assert same(column, stored, captured)


@pytest.mark.parametrize(
    ("column", "stored", "captured"),
    [("version", 3, 4), ("sentiment", "positive", "negative"), ("sentiment_score", 0.5, None), ("occurred_at", "infinity", None)],
)
def test_other_values_are_not_recognised(column: str, stored: Any, captured: Any) -> None:
    """A different value stays different in any spelling."""
    assert not same(column, stored, captured)
