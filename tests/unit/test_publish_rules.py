"""The publisher's decisions: the shape of a mart, the statement of differences, when to work, which rows are new."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expectations.policy import Timing
from expectations.publish.differences import change_statement
from expectations.publish.shape import Column, Mart, Shape, alteration
from expectations.publish.transform import TransformError, libpq_environment, mart_of
from expectations.publish.wake import Situation, backoff, reason_to_run, recycles, seconds_to_next_tick
from expectations.window import Window

MART = Mart("fct_days", ("day", "driver"), "touched_days")
DAY, DRIVER, COUNT = Column("day", "date", True), Column("driver", "text", True), Column("tickets", "bigint")
CANDIDATE = Shape((DAY, DRIVER, COUNT))
TIMING = Timing(idle_seconds=900, held_retry_seconds=60, error_backoff_seconds=(2, 10))


def test_the_statement_is_written_to_be_read() -> None:
    """Only plain delete, update and insert, only of touched keys, only of rows that differ."""
    assert (
        change_statement(MART, CANDIDATE.columns, ("day",))
        == """with
touched as materialized (
    select distinct "day"
    from "build"."touched_days"
),
deleted as (
    delete from "marts"."fct_days" as published
    using touched
    where published."day" = touched."day"
        and not exists (
        select from "build"."fct_days" as candidate
        where candidate."day" = published."day" and candidate."driver" = published."driver"
    )
    returning 1
),
updated as (
    update "marts"."fct_days" as published
    set "tickets" = candidate."tickets"
    from "build"."fct_days" as candidate
    inner join touched on candidate."day" = touched."day"
    where published."day" = candidate."day" and published."driver" = candidate."driver"
        and row(published."tickets")
            is distinct from row(candidate."tickets")
    returning 1
),
inserted as (
    insert into "marts"."fct_days" ("day", "driver", "tickets")
    select candidate."day", candidate."driver", candidate."tickets"
    from "build"."fct_days" as candidate
    inner join touched on candidate."day" = touched."day"
    where not exists (
        select from "marts"."fct_days" as published
        where published."day" = candidate."day" and published."driver" = candidate."driver"
    )
    returning 1
)
select
    (select count(*) from inserted),
    (select count(*) from updated),
    (select count(*) from deleted)"""
    )


@given(st.text(min_size=1, max_size=20).filter(lambda name: "\0" not in name))
def test_any_name_stays_a_name(name: str) -> None:
    """A column called anything, quotes and statements included, is quoted wherever it appears."""
    quoted = '"' + name.replace('"', '""') + '"'
    statement = change_statement(Mart(name, (name,)), (Column(name, "text"), COUNT))

    assert statement.count(quoted) >= 8
    assert name not in statement.replace(quoted, "") or name in change_statement(Mart("q", ("q",)), (Column("q", "text"), COUNT))


def test_columns_without_equality_are_compared_as_text() -> None:
    """json has no equality operator."""
    assert 'published."payload"::text' in change_statement(Mart("m", ("k",)), (Column("k", "text"), Column("payload", "json")))


def test_a_new_column_is_added_before_and_compared_everywhere() -> None:
    """The table is altered in a short transaction of its own, and then every row gets its value."""
    altered = alteration(MART, Shape((*CANDIDATE.columns, Column("share", "numeric"))), CANDIDATE)

    assert altered.before == ('alter table "marts"."fct_days" add column "share" numeric',)
    assert altered.compare_whole


@pytest.mark.parametrize(
    ("candidate", "sentence"),
    [
        (Shape((DAY, DRIVER)), "fct_days.tickets is published but no longer built"),
        (Shape((DAY, DRIVER, Column("tickets", "text"))), "fct_days.tickets is bigint in marts and text in build"),
        (Shape((DAY, COUNT)), "meta.publish.key names"),
    ],
)
def test_what_would_take_something_from_readers_is_a_problem(candidate: Shape, sentence: str) -> None:
    """A dropped or retyped column, or a key that is gone, is for people to settle; nothing is altered."""
    altered = alteration(MART, candidate, CANDIDATE)

    assert sentence in altered.problems[0]
    assert (altered.before, altered.within) == ((), ())


def test_an_unchanged_shape_needs_nothing() -> None:
    """The everyday publish runs no DDL at all."""
    altered = alteration(MART, CANDIDATE, CANDIDATE)

    assert (altered.before, altered.within, altered.compare_whole, altered.problems) == ((), (), False, ())


@pytest.mark.parametrize(
    ("situation", "reason"),
    [
        (Situation(None, 0, 0, False, False), "start"),
        (Situation("published", 1, 0, False, False), ""),
        (Situation("published", 1, 0, True, False), "new rows"),
        (Situation("published", 1, 0, False, True), "files changed"),
        (Situation("published", 900, 0, False, False), "idle"),
        (Situation("held", 1, 0, False, False), ""),
        (Situation("held", 1, 0, True, False), "new rows"),
        (Situation("held", 60, 0, False, False), "retry"),
        (Situation("error", 1, 1, True, False), ""),
        (Situation("error", 2, 1, True, False), "retry"),
        (Situation("error", 2, 2, True, False), ""),
        (Situation("error", 10, 9, True, False), "retry"),
    ],
)
def test_it_works_only_when_there_is_a_reason(situation: Situation, reason: str) -> None:
    """New rows, an edit, a retry that is due, or a long idle time; errors wait longer each time."""
    assert reason_to_run(situation, TIMING) == reason


@given(st.integers(0, 1000))
def test_waiting_after_errors_grows_and_is_bounded(errors: int) -> None:
    """The backoff never exceeds its last step and never falls."""
    assert backoff(errors, TIMING) <= backoff(errors + 1, TIMING) <= 10


@given(st.floats(0, 1e6), st.floats(0.1, 60))
def test_ticks_coalesce(elapsed: float, every: float) -> None:
    """However long a cycle took, the next tick is at most one interval away."""
    assert 0 < seconds_to_next_tick(100 + elapsed, 100, every) <= every


def test_a_process_is_recycled_only_when_it_grew() -> None:
    """Many cycles alone are no reason, memory alone neither."""
    assert recycles(500, 1300, Timing())
    assert not recycles(500, 300, Timing())
    assert not recycles(3, 1300, Timing())


def test_a_window_is_literal_and_safe() -> None:
    """Snapshots go into the text as literals, so nothing but a snapshot is accepted."""
    assert Window("10:12:11", "20:20:").unseen("landed").startswith("landed.landed_xid >= '10'::xid8 and not")
    with pytest.raises(ValueError, match="not a snapshot"):
        Window(None, "20:20:'; drop table x")


def test_a_mart_without_a_key_is_refused() -> None:
    """The sentence names the model and what is missing."""
    with pytest.raises(TransformError, match=r"model fct_days: .*key"):
        mart_of("fct_days", {"touched": None})


def test_an_address_becomes_libpq_variables() -> None:
    """Passwords with signs in them arrive as they were meant."""
    assert libpq_environment("postgresql://cx:p%40ss@127.0.0.1:5433/warehouse") == {
        "PGHOST": "127.0.0.1",
        "PGPORT": "5433",
        "PGUSER": "cx",
        "PGPASSWORD": "p@ss",
        "PGDATABASE": "warehouse",
        "PGOPTIONS": "-c jit=off",
    }
