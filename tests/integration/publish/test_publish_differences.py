"""What a publish leaves as it was and what it changes."""

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from expectations.gate.quarantine import Hold
from expectations.publish.differences import change_statement
from expectations.publish.shape import Column, Mart
from tests.integration.publish.conftest import Warehouse


def test_the_first_publish_makes_the_marts_readable_for_bi(warehouse: Warehouse) -> None:
    """New marts appear with key, comments and the grant for bi_reader, together with their register entry."""
    warehouse.land(1, 10)

    outcome = warehouse.cycle()

    assert outcome.result == "published", outcome.message
    assert warehouse.drivers() == {"pricing": 10}
    assert warehouse.execute("select has_table_privilege('bi_reader', 'marts.fct_ticket_signals', 'select')") == [(True,)]
    comments = (
        "select obj_description('marts.fct_ticket_signals'::regclass), col_description('marts.fct_ticket_signals'::regclass, 3)"
    )
    assert warehouse.execute(comments) == [("One row per ticket.", "Why the customer wrote.")]
    assert warehouse.execute("select gate_result, rows_changed -> 'fct_ticket_signals' from marts.publications") == [
        ("passed", {"inserted": 10, "updated": 0, "deleted": 0})
    ]


def test_only_rows_that_differ_are_written(warehouse: Warehouse) -> None:
    """A second publish rewrites the changed ticket and the two totals it touches, nothing else."""
    warehouse.land(1, 10)
    warehouse.cycle()
    before = {row[3]: row[:2] for row in warehouse.marts()["fct_ticket_signals"]}
    warehouse.land(3, 3, driver="shipping", version=2)

    outcome = warehouse.cycle()

    after = {row[3]: row[:2] for row in warehouse.marts()["fct_ticket_signals"]}
    assert outcome.published is not None
    assert outcome.published.rows_changed["fct_ticket_signals"] == {"inserted": 0, "updated": 1, "deleted": 0}
    assert {ticket for ticket in after if after[ticket] != before[ticket]} == {"T-3"}
    assert warehouse.drivers() == {"pricing": 9, "shipping": 1}


def test_a_deleted_ticket_leaves_the_marts(warehouse: Warehouse) -> None:
    """A ticket without a candidate is deleted, and an emptied total with it."""
    warehouse.land(1, 2)
    warehouse.land(3, 3, driver="shipping")
    warehouse.cycle()
    warehouse.execute("delete from landing.ticket_signals where ticket_id = 'T-3'")
    warehouse.execute(
        "insert into landing.deleted_tickets (source_system, ticket_id, deleted_position) values ('zendesk', 'T-3', 9)"
    )

    warehouse.cycle()

    assert warehouse.drivers() == {"pricing": 2}


def test_views_grants_and_table_identity_survive(warehouse: Warehouse) -> None:
    """Other people's views and grants on a mart outlive publishes, also one that adds a column."""
    warehouse.land(1, 5)
    warehouse.cycle()
    warehouse.execute("create role analyst_of_publish_test")
    warehouse.execute("create view public.my_view as select driver, tickets from marts.fct_drivers")
    warehouse.execute("grant select on marts.fct_drivers to analyst_of_publish_test")
    identity = warehouse.execute("select 'marts.fct_drivers'::regclass::oid")
    warehouse.land(6, 8)
    warehouse.builder.tweak = """
        alter table build.fct_drivers add column if not exists share numeric;
        update build.fct_drivers set share = 1;
        comment on column build.fct_drivers.share is 'Part of all tickets.';
    """

    outcome = warehouse.cycle()

    assert outcome.result == "published", outcome.message
    assert warehouse.execute("select * from public.my_view") == [("pricing", 8)]
    assert warehouse.execute(
        "select driver, share, col_description('marts.fct_drivers'::regclass, 3) from marts.fct_drivers"
    ) == [("pricing", 1, "Part of all tickets.")]
    assert warehouse.execute("select 'marts.fct_drivers'::regclass::oid") == identity
    assert warehouse.execute("select has_table_privilege('analyst_of_publish_test', 'marts.fct_drivers', 'select')") == [(True,)]


def test_a_column_that_changes_its_type_holds_the_publish(warehouse: Warehouse) -> None:
    """An incompatible candidate leaves the marts as they are and says which column, and what to do."""
    warehouse.land(1, 5)
    warehouse.cycle()
    before = warehouse.marts()
    warehouse.land(6, 6)
    warehouse.builder.tweak = "alter table build.fct_drivers alter column tickets type text;"

    outcome = warehouse.cycle()

    assert outcome.result == "held"
    assert "fct_drivers.tickets is bigint in marts and text in build" in outcome.message
    assert warehouse.marts() == before


def test_two_candidates_with_one_key_hold_the_publish(warehouse: Warehouse) -> None:
    """A doubled key is the data's fault: held with a sentence, no half change."""
    warehouse.land(1, 5)
    warehouse.cycle()
    before = warehouse.marts()
    warehouse.land(6, 6)
    warehouse.builder.tweak = "insert into build.fct_drivers values ('new', 1), ('new', 2);"

    outcome = warehouse.cycle()

    assert outcome.result == "held"
    assert "fct_drivers: two candidates share a key (driver)" in outcome.message
    assert warehouse.marts() == before


ROWS = st.dictionaries(st.integers(0, 5), st.tuples(st.sampled_from(["a", None, "it's"]), st.integers(0, 2)), max_size=6)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(published=ROWS, candidates=ROWS, also_touched=st.sets(st.integers(0, 5)))
def test_any_mart_becomes_its_candidates(
    warehouse: Warehouse, published: dict[int, tuple], candidates: dict[int, tuple], also_touched: set[int]
) -> None:
    """Whatever both hold, nulls included: afterwards they are equal, and the counts are exactly the rows that differed."""
    differing = {key for key in published.keys() | candidates.keys() if published.get(key) != candidates.get(key)}
    mart, columns = Mart("m", ("k",), "touched_m"), (Column("k", "int"), Column("label", "text"), Column("n", "int"))
    with psycopg.connect(warehouse.url) as connection:
        connection.execute("create schema if not exists build")
        for name, rows in (("build.m", candidates), ("marts.m", published)):
            connection.execute(f"drop table if exists {name}")  # type: ignore[arg-type]
            connection.execute(f"create table {name} (k int primary key, label text, n int)")  # type: ignore[arg-type]
            connection.cursor().executemany(f"insert into {name} values (%s, %s, %s)", [(key, *row) for key, row in rows.items()])  # type: ignore[arg-type]
        connection.execute("drop table if exists build.touched_m; create table build.touched_m (k int)")
        connection.cursor().executemany("insert into build.touched_m values (%s)", [(key,) for key in differing | also_touched])

        counts = connection.execute(change_statement(mart, columns, ("k",)).encode()).fetchone()

        assert connection.execute("select * from marts.m order by k").fetchall() == [
            (key, *candidates[key]) for key in sorted(candidates)
        ]
        assert counts == (
            len(candidates.keys() - published.keys()),
            len(differing & candidates.keys() & published.keys()),
            len(published.keys() - candidates.keys()),
        )


def test_failing_candidates_are_held_and_the_rest_is_built_again(warehouse: Warehouse) -> None:
    """A ticket that fails only as a candidate: held, built again without it, published with a warning; told until released."""
    warehouse.land(1, 5)
    warehouse.gate.holding = [Hold("zendesk", "T-3", "is_right", "candidates", "it is not right")]

    outcome = warehouse.cycle()

    assert (outcome.result, warehouse.drivers()) == ("published", {"pricing": 4})
    assert warehouse.execute("select ticket_id, suite, released_at from ops.held_tickets") == [("T-3", "candidates", None)]


def test_candidates_that_keep_failing_are_not_published(warehouse: Warehouse) -> None:
    """When every build brings new tickets to hold, the cycle gives up for now and the marts stay."""
    warehouse.land(1, 5)
    warehouse.gate.holding = [
        Hold("zendesk", f"T-{number}", "is_right", "candidates", "it is not right") for number in range(1, 5)
    ]

    outcome = warehouse.cycle()

    assert outcome.result == "error"
    assert "more candidates had to be held after every build" in outcome.message
    assert warehouse.execute("select count(*) from marts.publications") == [(0,)]
