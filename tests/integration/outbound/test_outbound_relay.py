"""The relay on a real warehouse: every applied change is told, none is invented, and what is told ends where landing ends."""

import json
from typing import Any

import jsonschema
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.outbound.contract import projection
from connectors.outbound.relay import relay as relay_module
from ops.outbound import listing
from stream.core.records import RawRecord
from stream.edges.warehouse.landing import Warehouse
from stream.worker import read_policy
from tests.conftest import _clone
from tests.fakes.topic import Arrived, FakeTopics
from tests.integration.outbound.conftest import Land, carry, land_with
from tests.unit.stream.events import changed, deleted, signal

CANONICAL = "cx.signals.v1"
QUOTE = "I want\tmy money\nback"


def state(records: list[Arrived]) -> dict[tuple[str, str], dict[str, Any]]:
    """What a consumer holds that knows the rule: a record with a lower or equal sequence has no effect."""
    seen: dict[tuple[str, str], str] = {}
    held: dict[tuple[str, str], dict[str, Any]] = {}
    for one in records:
        if one.headers["ce_sequence"] > seen.get(one.ticket, ""):
            seen[one.ticket] = one.headers["ce_sequence"]
            held.pop(one.ticket, None)
            if one.value is not None:
                held[one.ticket] = one.value
    return held


def compacted(records: list[Arrived]) -> dict[tuple[str, str], dict[str, Any]]:
    """What a compacted topic holds in the end."""
    newest = {one.ticket: one.value for one in records}
    return {ticket: value for ticket, value in newest.items() if value is not None}


def latest(url: str) -> dict[tuple[str, str], tuple[str, int]]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "select source_system, ticket_id, idempotency_key, version from landing.ticket_signals"
        ).fetchall()
    return {(system, ticket): (key, version) for system, ticket, key, version in rows}


def test_a_change_becomes_one_record_per_projection(land: Land, warehouse_url: str, topics: FakeTopics) -> None:
    """Each topic gets exactly its named fields under the ticket's key, with CloudEvents attributes, and never the quote."""
    carry(warehouse_url, topics)
    land(changed(signal(), 10))
    carry(warehouse_url, topics)

    assert [one.topic for one in topics.records] == [p.topic for p in projection.shipped()]
    for one, chosen in zip(topics.records, projection.shipped(), strict=True):
        assert (one.ticket, list(one.value or {})) == (("zendesk", "t1"), list(chosen.fields))
    whole = topics.records[0]
    assert whole.value is not None
    assert (whole.value["sentiment_score"], whole.value["custom_metrics"]["handle_time"]) == (-0.5, 12.5)
    assert whole.value["occurred_at"] == "2026-11-01T08:00:00.123456Z"
    assert whole.headers["ce_id"] == whole.value["idempotency_key"] == "t1:1"
    assert (whole.headers["ce_specversion"], whole.headers["ce_subject"]) == ("1.0", "zendesk/t1")
    assert (whole.headers["ce_type"], whole.headers["content-type"]) == ("cx.signals.ticket.changed.v1", "application/json")
    assert "ce_filling" not in whole.headers
    assert "my money" not in json.dumps([one._asdict() for one in topics.records])


def test_what_is_sent_keeps_the_published_schema(land: Land, warehouse_url: str, topics: FakeTopics) -> None:
    """Every value is valid under the schema its header names, with every optional field empty too."""
    empty = dict.fromkeys(("account_id", "sentiment_score", "raw_tags", "canonical_tag", "driver", "custom_metrics"))
    land(changed(signal(), 10), changed(signal("t2", **empty), 20, offset=1))
    carry(warehouse_url, topics)
    for one in topics.records:
        _, _, title, version = one.headers["ce_dataschema"].split(":")
        schema = json.loads((projection.DIRECTORY / "schemas" / f"{title}.v{version.split('.')[0]}.schema.json").read_text())
        jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(one.value)

    assert len(topics.records) == 6


def test_the_first_start_tells_the_present_state_in_parts(
    land: Land, warehouse_url: str, topics: FakeTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what was there before the relay, the newest version of each ticket is told once, marked; a killed filling goes on."""
    monkeypatch.setattr(relay_module, "PART_ROWS", 3)
    land(*[changed(signal(f"t{n}", version), 10 * n + version, offset=10 * n + version) for n in range(8) for version in (1, 2)])
    land(deleted("t7", 100))
    carry(warehouse_url, topics, parts=1)
    land(changed(signal("t0", 3), 200, offset=200), changed(signal("t9"), 201, offset=201))
    carry(warehouse_url, topics)
    told = topics.of(CANONICAL)
    filled = [one for one in told if "ce_filling" in one.headers]

    assert sorted(one.ticket[1] for one in filled) == [f"t{n}" for n in range(7)]
    assert [(one.ticket[1], one.headers["ce_version"]) for one in told[len(filled) :]] == [("t0", "3"), ("t9", "1")]
    assert {ticket: (v["idempotency_key"], v["version"]) for ticket, v in compacted(told).items()} == latest(warehouse_url)


def test_a_late_delete_of_an_earlier_life_takes_nothing(land: Land, warehouse_url: str, topics: FakeTopics) -> None:
    """A delete that arrives after the ticket's next life has begun does not say that the ticket is gone."""
    carry(warehouse_url, topics)
    land(changed(signal(), 20))
    carry(warehouse_url, topics)
    land(deleted("t1", 10, offset=1))
    carry(warehouse_url, topics)

    assert list(compacted(topics.of(CANONICAL))) == [("zendesk", "t1")]


def test_records_whose_answer_got_lost_come_again_as_they_were(land: Land, warehouse_url: str, topics: FakeTopics) -> None:
    """Nothing is written off before Kafka acknowledged it; what comes again has the same key, sequence and content."""
    carry(warehouse_url, topics)
    land(changed(signal("t1"), 10), changed(signal("t2"), 20, offset=1))
    topics.takes = 4
    carry(warehouse_url, topics)
    once = list(topics.records)
    carry(warehouse_url, topics)

    assert (len(once), topics.records[4:8]) == (4, once)
    assert list(compacted(topics.of(CANONICAL))) == [("zendesk", "t1"), ("zendesk", "t2")]


def test_what_has_no_effect_is_not_told(land: Land, warehouse_url: str, topics: FakeTopics) -> None:
    """An older version that arrives late, before or beside the newer one, and a repeat make no record."""
    carry(warehouse_url, topics)
    land(changed(signal("t1", 2), 10), changed(signal("t1", 1), 11, offset=1))
    land(changed(signal("t2", 2), 20, offset=2))
    carry(warehouse_url, topics)
    land(changed(signal("t2", 1), 21, offset=3), changed(signal("t2", 2), 22, offset=4))
    carry(warehouse_url, topics)

    assert [one.headers["ce_id"] for one in topics.of(CANONICAL)] == ["t1:2", "t2:2"]


def test_a_ticket_that_returns_in_the_transaction_of_its_delete_is_there(
    land: Land, warehouse_url: str, topics: FakeTopics
) -> None:
    """The end of the old life is told before the new one."""
    carry(warehouse_url, topics)
    land(changed(signal(), 10))
    carry(warehouse_url, topics)
    land(deleted("t1", 20, offset=1), changed(signal(idempotency_key="again"), 30, offset=2))
    carry(warehouse_url, topics)
    told = topics.of(CANONICAL)

    assert [one.headers["ce_id"] for one in told] == ["t1:1", "deleted:zendesk/t1@20", "again"]
    assert list(state(told)) == list(compacted(told)) == [("zendesk", "t1")]


COLUMNS = "select attname from pg_attribute where attrelid = 'landing.ticket_signal_versions'::regclass and attnum > 0"
COPY = """
insert into landing.ticket_signal_versions ({to}) select {of} from landing.ticket_signal_versions where ticket_id = 't1'
"""


def test_a_transaction_that_commits_late_is_not_forgotten(land: Land, warehouse_url: str, topics: FakeTopics) -> None:
    """A change whose transaction was still running when newer ones were carried is told when it is there."""
    land(changed(signal(), 10))
    carry(warehouse_url, topics)
    with psycopg.connect(warehouse_url) as late:
        columns = [name for (name,) in late.execute(COLUMNS) if name not in ("landed_xid", "landed_at")]
        other = {"ticket_id": "'t2'", "idempotency_key": "'t2:1'"}
        values = ", ".join(other.get(name, name) for name in columns)
        late.execute(COPY.format(to=", ".join(columns), of=values))  # type: ignore[arg-type]
        land(changed(signal("t3"), 20, offset=1))
        carry(warehouse_url, topics)
    carry(warehouse_url, topics)

    assert [one.ticket[1] for one in topics.of(CANONICAL)] == ["t1", "t3", "t2"]


def test_a_version_that_loses_its_place_is_followed_by_what_stands(land: Land, warehouse_url: str, topics: FakeTopics) -> None:
    """When a conflict takes the latest version, the version before it is told again, with a later sequence."""
    carry(warehouse_url, topics)
    land(changed(signal("t2", 1), 10), changed(signal("t2", 2, idempotency_key="k"), 30, offset=1))
    land(changed(signal("t3", 1, idempotency_key="l"), 31, offset=2))
    carry(warehouse_url, topics)
    land(changed(signal("t1", 1, idempotency_key="k"), 20, offset=3), changed(signal("t1", 2, idempotency_key="l"), 21, offset=4))
    carry(warehouse_url, topics)
    held = {ticket: value["idempotency_key"] for ticket, value in state(topics.of(CANONICAL)).items()}

    assert held == {("zendesk", "t1"): "l", ("zendesk", "t2"): "t2:1"}
    assert held == {ticket: key for ticket, (key, _) in latest(warehouse_url).items()}


def test_a_warehouse_that_was_set_back_is_told_anew(land: Land, warehouse_url: str, topics: FakeTopics) -> None:
    """After a restore transaction numbers begin anew: everything is told again, deletes included, with later sequences."""
    land(changed(signal("t1"), 10), changed(signal("t2"), 20, offset=1))
    carry(warehouse_url, topics)
    land(deleted("t2", 30, offset=2))
    with psycopg.connect(warehouse_url, autocommit=True) as connection:
        connection.execute("update ops.outbound_relay set seen = '4000000000:4000000000:'")
    carry(warehouse_url, topics)
    told = topics.of(CANONICAL)

    assert [(one.ticket[1], one.value is None) for one in told] == [("t1", False), ("t2", False), ("t2", True), ("t1", False)]
    assert list(state(told)) == [("zendesk", "t1")]


def change(ticket: int, version: int, driver: str, number: int) -> tuple[str, dict[str, Any]]:
    """A version; in one case of three under a key that other tickets use too."""
    key = {"idempotency_key": f"shared:{version}"} if number == 1 else {}
    return "change", signal(f"t{ticket}", version, driver=driver, **key)


def test_a_refill_tells_everything_anew(land: Land, warehouse_url: str, topics: FakeTopics) -> None:
    """After `cx outbound refill` every living ticket and every tombstone is told again, with later sequences."""
    land(changed(signal("t1"), 10), changed(signal("t2"), 20, offset=1), deleted("t2", 30, offset=2))
    carry(warehouse_url, topics)
    before = list(topics.of(CANONICAL))
    assert listing.refill(warehouse_url) == 1
    carry(warehouse_url, topics)
    again = topics.of(CANONICAL)[len(before) :]

    assert [(one.ticket[1], one.value is None) for one in again] == [("t2", True), ("t1", False)]
    assert min(one.headers["ce_sequence"] for one in again) > max(one.headers["ce_sequence"] for one in before)


event = st.one_of(
    st.builds(change, st.integers(1, 3), st.integers(1, 4), st.sampled_from(["Billing"] * 3 + ["Other"]), st.integers(1, 3)),
    st.builds(lambda t: ("delete", t), st.integers(1, 3)),
    st.just(("relay",)),
    st.builds(lambda n: ("lost answer", n), st.integers(0, 9)),
)


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(st.data(), st.lists(event, min_size=5, max_size=40))
def test_any_history_is_told_as_it_landed(server: Any, data: st.DataObject, events: list[tuple[Any, ...]]) -> None:
    """Whatever lands in whatever batches, with the relay dying anywhere: nothing missed, nothing invented, order kept."""
    url, topics = _clone(server, "warehouse_template"), FakeTopics()
    edge = Warehouse(url, read_policy())
    applied: list[tuple[tuple[str, str], str]] = []
    batch: list[RawRecord] = []

    def land() -> None:
        outcomes = land_with(edge, batch)
        for place, outcome in outcomes.items():
            if outcome == "applied":
                row = json.loads(batch[place].value or b"")["after"]
                applied.append((("zendesk", row["ticket_id"]), row["idempotency_key"]))
        batch.clear()

    carry(url, topics)
    positions = data.draw(st.permutations(range(1, len(events) + 1)))
    for offset, (one, position) in enumerate(zip(events, positions, strict=True)):
        if one[0] == "change":
            batch.append(changed(one[1], position, offset=offset))
        elif one[0] == "delete":
            batch.append(deleted(f"t{one[1]}", position, offset=offset))
        else:
            land()
            topics.takes = one[1] if one[0] == "lost answer" else None
            carry(url, topics)
        if data.draw(st.integers(0, 2)) == 0:
            land()
    land()
    topics.takes = None
    carry(url, topics)
    edge.close()
    told = topics.of(CANONICAL)

    held = {ticket: (value["idempotency_key"], value["version"]) for ticket, value in state(told).items()}
    assert held == {t: (v["idempotency_key"], v["version"]) for t, v in compacted(told).items()} == latest(url)
    gone = {one.ticket for one in told if one.value is None}
    names = {(one.ticket, one.headers["ce_id"]) for one in told}
    assert all(one in names or one[0] in gone for one in applied), "a change was missed"
    landed_keys = {(("zendesk", one[1]["ticket_id"]), one[1]["idempotency_key"]) for one in events if one[0] == "change"}
    assert {(one.ticket, one.headers["ce_id"]) for one in told if one.value is not None} <= landed_keys, "a change was invented"
