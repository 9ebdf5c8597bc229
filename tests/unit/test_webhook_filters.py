"""The filter language: its grammar, its mistakes, its meaning."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.outbound.webhooks.filter_meaning import LIST, NUMBER, OBJECT, WORDS, Field, check, holds
from connectors.outbound.webhooks.filter_syntax import (
    OPERATORS,
    All,
    AnyOf,
    Compare,
    Contains,
    Filter,
    FilterError,
    IsNull,
    Not,
    OneOf,
    parse,
    render,
)  # fmt: skip

FIELDS = {
    "churn_risk": Field(WORDS, ("none", "low", "medium", "high"), is_ordered=True),
    "sentiment": Field(WORDS, ("positive", "neutral", "negative")),
    "driver": Field(),
    "version": Field(NUMBER),
    "raw_tags": Field(LIST),
    "custom_metrics": Field(OBJECT),
}
EVENT = {
    "churn_risk": "high", "sentiment": "negative", "driver": "Billing", "version": 3, "raw_tags": ["vip", "invoice"],
    "custom_metrics": {"handle_time": 12.5},
}  # fmt: skip

NAMES = st.sampled_from(["driver", "churn_risk", "custom_metrics.handle_time", "a.b.c"])
VALUES = st.text(max_size=8) | st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-1000, max_value=1000)
CONDITIONS = (
    st.builds(Compare, NAMES, st.sampled_from(OPERATORS), VALUES)
    | st.builds(OneOf, NAMES, st.lists(VALUES, min_size=1, max_size=3).map(tuple))
    | st.builds(IsNull, NAMES)
    | st.builds(Contains, NAMES, VALUES)
)


def _several(parts: st.SearchStrategy[Filter]) -> st.SearchStrategy[tuple[Filter, ...]]:
    return st.lists(parts, min_size=2, max_size=3).map(tuple)


def _combined(parts: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    return st.builds(Not, parts) | st.builds(All, _several(parts)) | st.builds(AnyOf, _several(parts))


TREES = st.recursive(CONDITIONS, _combined, max_leaves=8)


def _bare(tree: Filter) -> Filter:
    """Without positions."""
    match tree:
        case Not(part):
            return Not(_bare(part))
        case All(parts):
            return All(tuple(map(_bare, parts)))
        case AnyOf(parts):
            return AnyOf(tuple(map(_bare, parts)))
        case _:
            return replace(tree, position=0)


@given(TREES)
def test_what_is_rendered_is_read_again(tree: Filter) -> None:
    """Every tree has a text, and that text means the tree."""
    assert _bare(parse(render(tree))) == tree


@given(st.text(alphabet=" ()'\",=!<>abinotr.019é\n", max_size=40))
def test_any_text_is_a_tree_or_a_mistake_with_a_place(text: str) -> None:
    """Nothing but FilterError comes out, and its position lies within the text or just behind it."""
    try:
        parse(text)
    except FilterError as error:
        assert 1 <= error.position <= len(text) + 1


@pytest.mark.parametrize(("text", "position", "said"), [
    ("churn_risk in high", 15, "expected '('"),
    ("churn_risk in (high", 20, "expected ')', found the end"),
    ("driver = ", 10, "expected a value"),
    ("driver 'Billing'", 8, "expected one of ="),
    ("driver = 'Billing", 10, "no closing quote"),
    ("driver = a driver = b", 12, "expected 'and', 'or' or the end"),
    ("driver ~ a", 8, "no meaning"),
    ("", 1, "expected a field"),
    ("driver not null", 12, "expected 'in'"),
    ("(" * 40 + "driver = a" + ")" * 40, 32, "nested deeper"),
])  # fmt: skip
def test_a_mistake_says_where_and_what_was_expected(text: str, position: int, said: str) -> None:
    """Position, expectation, and what was found instead."""
    with pytest.raises(FilterError, match="at character") as wrong:
        parse(text)

    assert wrong.value.position == position
    assert said in str(wrong.value)


@pytest.mark.parametrize(("text", "said"), [
    ("driver = a and drivr = b", "'drivr' is not a field; known are churn_risk, custom_metrics, driver"),
    ("churn_risk = severe", "'severe' is no churn_risk; known are none, low, medium, high"),
    ("sentiment > neutral", "sentiment has no order"),
    ("version = three", "compared with a number"),
    ("driver = 3", "put it in quotes"),
    ("raw_tags = vip", "ask with contains"),
    ("driver contains a", "not a list"),
    ("custom_metrics = a", "name an entry"),
    ("driver.name = a", "has no entries"),
])  # fmt: skip
def test_what_a_field_cannot_answer_is_refused(text: str, said: str) -> None:
    """Unknown fields and words are named with those that are known."""
    with pytest.raises(FilterError) as wrong:
        check(parse(text), FIELDS)

    assert said in str(wrong.value)


@pytest.mark.parametrize(("text", "fits"), [
    ("churn_risk in (high) and driver = 'Billing'", True),
    ("CHURN_RISK in (high)".lower(), True),
    ("churn_risk >= medium", True),
    ("churn_risk < medium", False),
    ("driver != Billing or sentiment = negative", True),
    ("driver not in ('Billing', 'Login')", False),
    ("raw_tags contains vip and not raw_tags contains spam", True),
    ("custom_metrics.handle_time > 12", True),
    ("custom_metrics.absent > 12", False),
    ("custom_metrics.absent is null and driver is not null", True),
    ("version >= 3 AND version < 4", True),
])  # fmt: skip
def test_what_a_filter_means(text: str, fits: bool) -> None:
    """Each kind of condition on one event."""
    tree = parse(text)
    check(tree, FIELDS)

    assert holds(tree, EVENT, FIELDS) is fits


@given(st.fixed_dictionaries({}, optional={name: st.none() | st.text(max_size=3) | st.integers() for name in FIELDS}), CONDITIONS)
def test_not_turns_a_condition_round(event: dict[str, Any], condition: Filter) -> None:
    """Two truth values: of a condition and its opposite exactly one holds, nulls and strange values included."""
    assert holds(condition, event, {}) is not holds(Not(condition), event, {})


@given(st.integers(-5, 5), st.integers(-5, 5))
def test_numbers_compare_as_numbers(left: int, right: int) -> None:
    """The operators are those of arithmetic."""
    event = {"version": left}
    outcomes = [
        holds(Compare("version", operator, Decimal(right)), event, FIELDS) for operator in ("=", "!=", "<", "<=", ">", ">=")
    ]

    assert outcomes == [left == right, left != right, left < right, left <= right, left > right, left >= right]
