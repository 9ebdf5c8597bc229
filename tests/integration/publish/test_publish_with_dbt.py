"""The whole cycle with the real dbt project and the real suites."""

import json

from stream.core.batch import divide
from stream.core.decode import decode
from stream.edges.warehouse.landing import Warehouse
from stream.worker import read_policy
from tests.integration.publish.conftest import RealWarehouse
from tests.unit.stream.events import RawRecord, changed, deleted, signal

OF_T2 = "select version, evidence_url from marts.fct_ticket_signals where ticket_id = 'T-2'"


def test_a_bad_ticket_is_held_the_rest_is_published_and_it_returns_by_itself(real: RealWarehouse) -> None:
    """Quarantine through dbt: marts keep the ticket's published state while its newest is held, then show the corrected one."""
    real.land(1, 60)
    first = real.publish()
    assert first.result == "published", first.message
    assert real.execute("select count(*) from marts.fct_ticket_signals") == [(60,)]

    real.land(2, 2, driver="shipping", version=2, evidence="see the ticket ")
    real.land(61, 62)
    second = real.publish()
    assert (second.result, second.gate_result) == ("published", "warning"), second.message
    assert real.execute("select source_system, ticket_id, check_name from ops.held_tickets") == [
        ("zendesk", "T-2", "evidence_url_is_a_link")
    ]
    assert real.execute("select count(*) from marts.fct_ticket_signals") == [(62,)]
    assert real.execute(OF_T2) == [(1, "https://evidence.example/T-2")]

    real.land(2, 2, driver="refunds", version=3)
    third = real.publish()
    assert (third.result, third.gate_result) == ("published", "passed"), third.message
    assert real.execute(OF_T2) == [(3, "https://evidence.example/T-2")]
    assert real.execute("select count(*) from ops.held_tickets") == [(0,)]
    states = "select state from ops.alert_outbox where fingerprint = 'gate:landing:evidence_url_is_a_link' order by alert_id"
    assert real.execute(states) == [("firing",), ("ok",)]
    assert_marts_equal_candidates(real)


def test_every_mart_of_the_project_is_published_and_every_check_can_run(real: RealWarehouse) -> None:
    """The suites and the project agree on names: no check errs, all models with meta.publish are in marts, readable for BI."""
    real.land(1, 60)

    outcome = real.publish()

    assert outcome.result == "published", outcome.message
    assert {check: said for check, said in outcome.checks.items() if said == "error"} == {}
    assert_marts_equal_candidates(real)
    unreadable = "select relname from pg_class where relnamespace = 'marts'::regnamespace and relkind = 'r' and not {}"
    assert real.execute(unreadable.format("has_table_privilege('bi_reader', oid, 'select')")) == []


def test_a_delete_erases_every_table_at_the_next_publish(real: RealWarehouse) -> None:
    """Rule 4: what a ticket said is in landing and marts; after its delete and a publish no table of the warehouse holds it.

    (Its account's id is not its own: the keys that a cycle recomputes are in a working table until the next cycle.)
    """
    said = "words-of-one-customer"
    words = {"evidence_quote": said, "evidence_url": f"https://evidence.example/{said}", "raw_tags": [said]}
    metrics = {"custom_metrics": json.dumps({"note": said})}
    stream(real, changed(signal("leaves", **words, **metrics), 10), changed(signal("leaves", 2, **words, **metrics), 11))
    stream(real, changed(signal("stays"), 12), at=2)
    assert real.publish().result == "published"
    published = {"marts.fct_ticket_signals", "marts.fct_ticket_signal_versions", "marts.fct_evidence"}
    assert published | {"landing.ticket_signal_versions"} <= tables_with(real, said)

    stream(real, deleted("leaves", 20), at=3)
    assert {table for table in tables_with(real, said) if table.startswith("landing.")} == set()
    assert real.publish().result == "published"
    assert tables_with(real, said) == set()
    assert real.execute("select ticket_id from marts.fct_ticket_signals") == [("stays",)]


def stream(real: RealWarehouse, *records: RawRecord, at: int = 0) -> None:
    """Land records at these offsets as the worker does."""
    policy = read_policy()
    edge = Warehouse(real.url, policy)
    edge.land(divide([decode(one._replace(offset=at + place), policy) for place, one in enumerate(records)]))
    edge.close()


def tables_with(real: RealWarehouse, said: str) -> set[str]:
    """Every table and materialised view of the warehouse in which some row holds these words, as text or as bytes."""
    relations = real.execute(
        "select oid::regclass::text from pg_class where relkind in ('r', 'm', 'p') "
        "and relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema', 'pg_toast')"
    )
    forms = f"%{said}%", f"%{said.encode().hex()}%"
    like = "select exists (select from {} as row where row::text like '{}' or row::text like '{}')"
    return {name for (name,) in relations if real.execute(like.format(name, *forms)) == [(True,)]}


def assert_marts_equal_candidates(real: RealWarehouse) -> None:
    """Each mart holds exactly the rows of its candidate."""
    for mart in real.publisher.marts():
        build, published = (
            f"select to_jsonb(built) from build.{mart.name} as built",
            f"select to_jsonb(m) from marts.{mart.name} as m",
        )
        difference = f"({build} except all {published}) union all ({published} except all {build})"
        assert real.execute(difference) == [], mart.name
