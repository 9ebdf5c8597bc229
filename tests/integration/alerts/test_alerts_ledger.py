"""The SQL around the rules: one transaction per tick, whatever commits in between."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ops.alerts import flags, ledger
from ops.alerts.incidents import Incident, Notice
from tests.integration.alerts.conftest import ROUTES, Warehouse

events = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["firing", "ok"])), min_size=1, max_size=12)


def tick(warehouse: Warehouse) -> None:
    ledger.tick(warehouse.connection, ROUTES, {}, datetime.now(UTC))


def test_a_firing_that_commits_after_its_ok_was_read_opens_nothing(warehouse: Warehouse) -> None:
    """A slow transaction's firing, read after the ok that followed it, is late and leaves no incident open."""
    with psycopg.connect(warehouse.url) as slow:
        slow.execute(
            "insert into ops.alert_outbox (fingerprint, state, severity, owner, summary) "
            "values ('a', 'firing', 'critical', 'o', 's')"
        )
        warehouse.notice("a", state="ok")
        tick(warehouse)
        slow.commit()
    tick(warehouse)
    assert warehouse.ask("select outcome from ops.alert_outbox order by alert_id")[0].startswith("late")
    assert warehouse.status()["open_incidents"] == 0


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events, st.data())
def test_the_database_agrees_with_the_rules(warehouse: Warehouse, happenings: list[tuple[str, str]], data: st.DataObject) -> None:
    """After any notices and ticks: a cause is open when its last notice fired, all notices have an outcome, ids are kept."""
    warehouse.connection.execute("truncate ops.alert_outbox, ops.incidents, ops.alert_deliveries, ops.alert_flags")
    for cause, state in happenings:
        warehouse.notice(cause, state)
        if data.draw(st.booleans()):
            tick(warehouse)
    tick(warehouse)
    last = dict(happenings)
    expected = sorted(cause for cause, state in last.items() if state == "firing")
    assert warehouse.ask("select fingerprint from ops.incidents where over_at is null order by 1") == expected
    assert warehouse.ask("select count(*) from ops.alert_outbox where processed_at is null or outcome is null") == [0]
    assert warehouse.ask("select count(*) from ops.alert_outbox where outcome = 'opened'") == warehouse.ask(
        "select count(*) from ops.incidents"
    )
    assert warehouse.ask("select count(*) from ops.alert_outbox where state = 'firing' and incident_id is null") == [0]


def test_the_database_itself_refuses_a_second_open_incident(warehouse: Warehouse) -> None:
    """At most one open incident per cause is a unique index, not only a rule."""
    warehouse.notice("a")
    tick(warehouse)
    with pytest.raises(psycopg.errors.UniqueViolation):
        warehouse.connection.execute(
            "insert into ops.incidents (fingerprint, severity, owner, summary, details, opened_at, last_seen_at, occurrences) "
            "select fingerprint, severity, owner, summary, details, opened_at, last_seen_at, 1 from ops.incidents"
        )


@pytest.mark.parametrize(
    "details", ["[]", "null", '"text"', "7", '{"rows": 5, "extra": [1], "affected": "many", "since": "soon"}']
)
def test_details_of_any_shape_stop_nothing(warehouse: Warehouse, details: str) -> None:
    """A writer's mistake in details costs its own details at most."""
    warehouse.connection.execute(
        "insert into ops.alert_outbox (fingerprint, state, severity, owner, summary, details) "
        "values ('a', 'firing', 'info', 'o', 's', %s)",
        (details,),
    )
    tick(warehouse)
    assert warehouse.ask("select jsonb_typeof(details) from ops.incidents") == ["object"]
    assert warehouse.letters() == ["waiting"]


def test_a_flood_is_read_in_batches(warehouse: Warehouse) -> None:
    """5,000 notices of one cause are one incident with 5,000 occurrences and one letter."""
    warehouse.connection.execute(
        "insert into ops.alert_outbox (fingerprint, state, severity, owner, summary) "
        "select 'a', 'firing', 'critical', 'o', 's' from generate_series(1, 5000)"
    )
    while ledger.tick(warehouse.connection, ROUTES, {}, datetime.now(UTC)):
        pass
    assert warehouse.ask("select occurrences from ops.incidents") == [5000]
    assert warehouse.letters() == ["waiting"]


def test_pruning_forgets_old_notices_and_letters_only(warehouse: Warehouse) -> None:
    """What is older than 90 days and done goes; each cause's newest notice, incidents, flags and whatever waits stay."""
    warehouse.notice("a")
    warehouse.notice("a")
    tick(warehouse)
    flags.record(
        warehouse.connection, *warehouse.ask("select incident_id from ops.incidents"), name="Ada", why="test", via="command"
    )
    warehouse.connection.execute("update ops.alert_outbox set processed_at = processed_at - interval '91 days'")
    warehouse.connection.execute("update ops.alert_deliveries set created_at = created_at - interval '91 days'")
    ledger.prune(warehouse.connection, ["default"])
    assert warehouse.ask("select alert_id from ops.alert_outbox") == [2]
    assert (warehouse.letters(), warehouse.ask("select count(*) from ops.alert_flags")) == (["waiting"], [1])


def test_flags_that_pile_up_become_a_suggestion(warehouse: Warehouse) -> None:
    """Three of four incidents of a check flagged: the report names it with its reasons; the check goes on firing."""
    for number in range(4):
        warehouse.notice("gate:volume")
        tick(warehouse)
        if number:
            [newest] = warehouse.ask("select max(incident_id) from ops.incidents")
            flags.record(warehouse.connection, newest, name="Ada", why=f"reason {number}", via="command")
        warehouse.notice("gate:volume", state="ok")
        tick(warehouse)
    [sentence] = flags.suggestions(flags.precision(warehouse.connection))
    assert sentence.startswith("gate:volume: 3 of 4 incidents were flagged as not a problem (reason 3; reason 2; reason 1)")
    warehouse.notice("gate:volume")
    tick(warehouse)
    assert warehouse.status()["open_incidents"] == 1


def test_the_types_of_the_rules_are_the_columns_of_the_tables(warehouse: Warehouse) -> None:
    """Incident and Notice name exactly columns that exist."""
    for table, kind, derived in (("incidents", Incident, {"flagged"}), ("alert_outbox", Notice, set())):
        columns = set(
            warehouse.ask(
                "select column_name from information_schema.columns where table_schema = 'ops' and table_name = %s", table
            )
        )
        assert set(kind.__dataclass_fields__) - derived <= columns


def test_reopening_keeps_the_incidents_number(warehouse: Warehouse) -> None:
    """A cause that comes back within the reopen window goes on under the same id."""
    routes = ROUTES.__class__(ROUTES.channels, ROUTES.routes, pace=ROUTES.pace.__class__(reopen_within=timedelta(minutes=10)))
    for state in ("firing", "ok", "firing"):
        warehouse.notice("a", state)
        ledger.tick(warehouse.connection, routes, {}, datetime.now(UTC))
    assert warehouse.ask("select incident_id, reopened, over_at from ops.incidents") == [(1, 1, None)]
