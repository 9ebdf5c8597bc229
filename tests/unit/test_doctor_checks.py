"""The doctor's checks: one wrong fact, one line that is not good, with the command that mends it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.doctor import pipeline, store, warehouse
from ops.doctor.check import Check, bytes_in_words
from ops.doctor.pipeline import ConnectFacts, TopicFacts
from ops.doctor.store import PUBLISHED, Slot, StoreFacts
from ops.doctor.warehouse import Clock, WarehouseFacts
from ops.reconcile.relations import RELATIONS
from ops.stack.topics import TOPICS, Topic

TABLES = {table: {**relation.columns, "updated_at": "timestamp with time zone"} for table, relation in RELATIONS.items()}
STORE = StoreFacts(
    150018, "logical", (1, 10), (1, 10), Slot(True, "reserved", 1000), frozenset(PUBLISHED), dict.fromkeys(RELATIONS, "f"),
    TABLES, (True, True), (), 3.0, "0001",
)  # fmt: skip
WAREHOUSE = WarehouseFacts(150018, "0004", True, True)
CONNECT = ConnectFacts("4.3.1", "3.7.0.Final", "RUNNING", ("RUNNING",))
TOPIC = Topic("cx.enrichment.accounts", partitions=1, retention_days=7)
WEEK = str(7 * pipeline.DAY_MS)
GOOD_TOPIC = TopicFacts(1, {"cleanup.policy": "delete", "retention.ms": WEEK})


def bad(checks: object) -> list[Check]:
    return [check for check in checks if not check.ok]  # type: ignore[attr-defined]


def columns(table: str, **changes: str | None) -> dict[str, dict[str, str]]:
    """The store's columns with some added, retyped or (None) taken away."""
    changed = {**TABLES[table], **changes}
    return {**TABLES, table: {name: kind for name, kind in changed.items() if kind is not None}}


def test_a_good_store_is_good() -> None:
    """Every line of a store as agreed is good and asks for nothing."""
    assert not bad(store.checks(STORE, "0001"))


STORE_FAULTS = [
    (replace(STORE, version=130000), "PostgreSQL version", "upgrade"),
    (replace(STORE, wal_level="replica"), "wal_level", "alter system set wal_level"),
    (replace(STORE, slots=(11, 10)), "replication slots", "max_replication_slots = 15"),
    (replace(STORE, senders=(11, 10)), "WAL senders", "max_wal_senders = 15"),
    (replace(STORE, revision=None), "schema revision", "cx prepare"),
    (replace(STORE, tables=columns("accounts", plan=None)), "columns of enrichment.accounts", "drift_policy"),
    (replace(STORE, tables=columns("accounts", plan="integer")), "columns of enrichment.accounts", "drift_policy"),
    (replace(STORE, tables={**TABLES, "accounts": {}}), "columns of enrichment.accounts", "drift_policy"),
    (replace(STORE, identities={**STORE.identities, "accounts": "d"}), "identity of enrichment.accounts", "identity full"),
    (replace(STORE, published=None), "publication", "create publication cx_enrichment"),
    (replace(STORE, published=frozenset(PUBLISHED - {"enrichment.cdc_signal"})), "publication", "add table enrichment.cdc"),
    (replace(STORE, published=frozenset(PUBLISHED | {"public.other"})), "publication", "drop table public.other"),
    (replace(STORE, role_attributes=None), "role cx_capture", "cx prepare"),
    (replace(STORE, role_attributes=(True, False)), "role cx_capture", "cx prepare"),
    (replace(STORE, lacking_rights=("select enrichment.accounts",)), "role cx_capture", "cx prepare"),
    (replace(STORE, extra_rights=("write enrichment.accounts",)), "role cx_capture", "revoke"),
    (replace(STORE, slot=Slot(False, "reserved", 0)), "slot cx_enrichment", "cx up"),
    (replace(STORE, slot=Slot(True, "lost", 0)), "wal_status", "cx backfill --all"),
    (replace(STORE, slot=Slot(True, "unreserved", 0)), "wal_status", "cx backfill --all"),
    (replace(STORE, slot=Slot(True, "reserved", 2 * 1024**3)), "retained WAL", "cx status"),
    (replace(STORE, heartbeat_age=None), "heartbeat", "cx status"),
    (replace(STORE, heartbeat_age=61.0), "heartbeat", "cx status"),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "name", "remedy"), STORE_FAULTS)
def test_one_fault_of_the_store_is_one_line(facts: StoreFacts, name: str, remedy: str) -> None:
    """The line names the fault and says what mends it; every other line stays good."""
    [found] = bad(store.checks(facts, "0001"))
    assert name in found.name
    assert remedy in found.remedy


def test_before_the_first_start_a_slot_and_a_sender_must_be_free() -> None:
    """A store without the slot needs room for it."""
    full = replace(STORE, slot=None, slots=(10, 10), senders=(10, 10))
    names = {check.name for check in bad(store.checks(full, "0001"))}
    assert names == {"store: replication slots", "store: WAL senders", "store: slot cx_enrichment"}


def test_a_column_beyond_the_contract_follows_the_drift_policy() -> None:
    """Where the policy lets it pass, the line is good and mentions it; where it refuses, it is not."""
    wider = replace(STORE, tables=columns("accounts", region="text"))
    assert any("region" in check.found and check.ok for check in store.checks(wider, "0001"))
    [refused] = bad(store.checks(replace(wider, refused_columns={"accounts": frozenset({"region"})}), "0001"))
    assert "region is not in the contract" in refused.found


@pytest.mark.parametrize("kind", ["character varying(20)", "character varying", "text"])
def test_a_type_that_holds_the_same_values_is_good(kind: str) -> None:
    """varchar instead of text breaks nothing."""
    assert not bad(store.checks(replace(STORE, tables=columns("accounts", plan=kind)), "0001"))


def test_a_good_warehouse_is_good() -> None:
    """Every line of a warehouse as agreed is good."""
    assert not bad(warehouse.checks(WAREHOUSE, "0004"))


@pytest.mark.parametrize(
    ("facts", "name", "remedy"),
    [
        (replace(WAREHOUSE, version=130001), "PostgreSQL version", "upgrade"),
        (replace(WAREHOUSE, revision="0003"), "schema revision", "cx prepare"),
        (replace(WAREHOUSE, reader_may_log_in=None), "bi_reader", "cx prepare"),
        (replace(WAREHOUSE, reader_may_log_in=False), "bi_reader", "cx prepare"),
        (replace(WAREHOUSE, reader_reads_marts=False), "bi_reader", "grant usage on schema marts"),
        (replace(WAREHOUSE, reader_reaches=("landing",)), "bi_reader", "revoke usage on schema landing"),
        (replace(WAREHOUSE, reader_writes=("marts.fct_evidence",)), "bi_reader", "on marts.fct_evidence from bi_reader"),
    ],
)
def test_one_fault_of_the_warehouse_is_one_line(facts: WarehouseFacts, name: str, remedy: str) -> None:
    """The line names the fault and says what mends it."""
    [found] = bad(warehouse.checks(facts, "0004"))
    assert name in found.name
    assert remedy in found.remedy


@given(st.floats(-10, 10), st.floats(0, 5))
def test_a_clock_is_blamed_only_for_what_the_measurement_proves(ahead: float, uncertainty: float) -> None:
    """A slow answer leaves the skew open by that much."""
    assert warehouse.clock_check("store", Clock(ahead, uncertainty)).ok == (abs(ahead) - uncertainty <= 1.0)


def test_a_full_disk_is_not_good() -> None:
    """Less than two GiB free is a warning before the databases stop."""
    assert not warehouse.disk_check(".run", 2 * 1024**3 - 1).ok
    assert warehouse.disk_check(".run", 2 * 1024**3).ok


@pytest.mark.parametrize(
    ("facts", "found", "remedy"),
    [
        (None, "not there", "cx prepare"),
        (TopicFacts(3, GOOD_TOPIC.configuration), "3 partitions, 1 are agreed", "cx backfill --all"),
        (TopicFacts(1, {"cleanup.policy": "compact", "retention.ms": WEEK}), "compact", "cleanup.policy=delete"),
        (TopicFacts(1, {"cleanup.policy": "delete", "retention.ms": "3600000"}), "days, 7 are agreed", f"retention.ms={WEEK}"),
    ],
)
def test_a_topic_that_is_not_as_agreed_is_not_good(facts: TopicFacts | None, found: str, remedy: str) -> None:
    """Partitions keep the order of a ticket; retention outlasts an outage."""
    [line] = bad(pipeline.topic_checks([TOPIC], {TOPIC.name: facts} if facts else {}))
    assert found in line.found
    assert remedy in line.remedy


@pytest.mark.parametrize("retention", [WEEK, "-1", str(10 * pipeline.DAY_MS)])
def test_a_topic_may_be_kept_longer(retention: str) -> None:
    """As long as agreed, longer, or for ever."""
    facts = TopicFacts(1, {"cleanup.policy": "delete", "retention.ms": retention})
    assert not bad(pipeline.topic_checks([TOPIC], {TOPIC.name: facts}))


def test_the_topic_of_the_signals_is_among_the_agreed_ones() -> None:
    """Debezium publishes its signal table: without the topic the first signal stalls the connector."""
    assert "cx.enrichment.cdc_signal" in {topic.name for topic in TOPICS}


def test_a_good_connect_is_good() -> None:
    """A running connector of a safe version is good."""
    assert not bad(pipeline.connect_checks(CONNECT))


@pytest.mark.parametrize(
    ("facts", "found", "remedy"),
    [
        (replace(CONNECT, plugin=None), "not there", "plugin.path"),
        (replace(CONNECT, plugin="3.6.3.Final"), "3.6.3.Final", "3.7.0.Final or newer"),
        (replace(CONNECT, state=None), "not registered", "cx prepare"),
        (replace(CONNECT, state="PAUSED", tasks=("PAUSED",)), "PAUSED", "/resume"),
        (replace(CONNECT, tasks=("FAILED",), trace="slot is gone"), "FAILED: slot is gone", "/restart"),
        (replace(CONNECT, tasks=()), "task missing", "/restart"),
    ],
)
def test_one_fault_of_connect_is_one_line(facts: ConnectFacts, found: str, remedy: str) -> None:
    """Plugin, connector and task each say what is wrong."""
    [line] = bad(pipeline.connect_checks(facts))
    assert found in line.found
    assert remedy in line.remedy


def test_versions_are_compared_as_numbers() -> None:
    """3.10 is newer than 3.7."""
    assert pipeline.version_of("3.10.0.Final") > pipeline.version_of("3.7.0.Final")


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 bytes"), (1536, "1.5 KiB"), (3 * 1024**3, "3.0 GiB"), (2 * 1024**4, "2.0 TiB")]
)
def test_sizes_are_read_by_people(number: int, words: str) -> None:
    """Bytes in the unit that keeps the number short."""
    assert bytes_in_words(number) == words


def test_a_line_that_is_not_good_shows_how_to_mend_it() -> None:
    """The remedy is printed below the finding, and only then."""
    assert "mend: cx up" in str(Check("a", False, "b", "cx up"))
    assert "mend" not in str(Check("a", True, "b", "cx up"))
