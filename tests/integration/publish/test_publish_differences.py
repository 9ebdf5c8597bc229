"""What a publish leaves as it was and what it changes."""

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
