"""The warehouse edge against a real PostgreSQL."""

import json
import random
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from ops.stack import postgres
from stream.core.batch import Batch, divide
from stream.core.decode import decode
from stream.edges.warehouse.landing import Landed, Warehouse
from stream.errors import Misconfigured, RefusedRecord, Unavailable
from stream.worker import read_policy
from tests.conftest import wait_until
from tests.fakes.memory_warehouse import MemoryWarehouse
from tests.integration.stream.conftest import Query
from tests.unit.stream.events import ACCOUNTS, TAXONOMY, RawRecord, changed, deleted, envelope, record, signal

POLICY = read_policy()
CLOCKS = "'{landed_at,landed_xid,last_seen_at}'::text[]"
OPEN_CONFLICTS = "from landing.dead_letters where reason = 'conflict' and status = 'open'"
TABLES = ["ticket_signal_versions", "ticket_signals", "deleted_tickets", "tag_taxonomy", "accounts", "dead_letters"]


def batch(records: Sequence[RawRecord], first_offset: int = 0) -> Batch:
    """A batch of these records at consecutive offsets."""
    return divide([decode(one._replace(offset=first_offset + place), POLICY) for place, one in enumerate(records)])


def land(warehouse: Warehouse, *records: RawRecord, at: int = 0) -> Landed:
    return warehouse.land(batch(records, at))


def contents(query: Query) -> dict[str, list[Any]]:
    """Everything in the landing tables but the clock's traces."""
    return {
        table: sorted(json.dumps(row) for (row,) in query(f"select to_jsonb(t) - {CLOCKS} from landing.{table} t"))
        for table in TABLES
    }  # fmt: skip


def rules_state(query: Query) -> tuple[Any, ...]:
    """What the rules decide, as the memory warehouse has it."""
    standing = query("select idempotency_key, content_hash, source_positions from landing.ticket_signal_versions")
    conflicts = query(f"select idempotency_key, content_hash, source_positions {OPEN_CONFLICTS}")
    ended = query("select ticket_id, deleted_position from landing.deleted_tickets where deleted_position > 0")
    latest = query("select ticket_id, idempotency_key, content_hash, source_positions from landing.ticket_signals")
    lookups = query("select raw_tag, source_position, content_hash from landing.tag_taxonomy")
    return {(k, bytes(h)): tuple(p) for k, h, p in standing}, {(k, bytes(h)): tuple(p) for k, h, p in conflicts}, dict(ended), {
        t: (k, bytes(h), tuple(p)) for t, k, h, p in latest
    }, {tag: (position, bytes(digest)) for tag, position, digest in lookups}  # fmt: skip


def memory_state(memory: MemoryWarehouse) -> tuple[Any, ...]:
    return (
        {one.id: one.positions for one in memory.standing.values()},
        {one.id: one.positions for one in memory.conflicts.values()},
        {ticket: position for (_, ticket), position in memory.ended.items()},
        {ticket: (*identity, memory.standing[identity].positions) for (_, ticket), identity in memory.latest.items()},
        {tag: tuple(standing) for tag, standing in memory.lookups["tag_taxonomy"].items()},
    )


def random_records(chance: random.Random, number: int) -> list[RawRecord]:
    """Writes, deletes, mappings, poison and tombstones over few tickets and fewer keys: tangles are common."""

    def one() -> RawRecord:
        ticket, position = chance.choice(["t1", "t2", "t3", "t4"]), chance.randint(1, 20)
        kind = chance.random()
        if kind < 0.12:
            return deleted(ticket, position)
        if kind < 0.2:
            mapping = {
                "raw_tag": chance.choice("ab"),
                "canonical_tag": chance.choice("xy"),
                "driver": None,
                "owner": None,
                "updated_at": None,
            }
            gone = chance.random() < 0.3
            return record(envelope(None if gone else mapping, position, "d" if gone else "u", before=mapping), topic=TAXONOMY)
        if kind < 0.25:
            return changed(signal(ticket, sentiment="mixed"), position)
        if kind < 0.28:
            return record(None)
        key = chance.choice(["k1", "k2", "k3", "k4", "k5", "k6"])
        return changed(signal(ticket, chance.randint(1, 4), idempotency_key=key, driver=chance.choice("AB")), position)

    return [one() for _ in range(number)]


@pytest.mark.parametrize("seed", range(12))
def test_the_real_edge_does_what_the_rules_do(seed: int, server: postgres.Server, warehouse: Warehouse, query: Query) -> None:
    """Random events in random batches leave PostgreSQL and the warehouse in memory equal, outcome by outcome."""
    chance = random.Random(seed)
    memory = MemoryWarehouse()
    records, at = random_records(chance, 60), 0
    while at < len(records):
        size = chance.randint(1, 12)
        one = batch(records[at : at + size], at)
        assert memory.land(one) == warehouse.land(one).outcomes, (seed, at)
        assert memory_state(memory) == rules_state(query), (seed, at)
        at += size


@pytest.mark.parametrize("seed", range(3))
def test_order_and_cutting_do_not_matter_to_the_real_edge(
    seed: int, warehouse: Warehouse, query: Query, server: postgres.Server, warehouse_url: str
) -> None:
    """The same events shuffled, repeated and cut otherwise leave the same rules' state in PostgreSQL."""
    chance = random.Random(100 + seed)
    records = random_records(chance, 40)
    warehouse.land(batch(records))
    before = rules_state(query)
    emptied = [table for table in TABLES if table != "ticket_signals"]
    query("truncate " + ", ".join(f"landing.{table}" for table in emptied) + ", landing.consumed_records")
    shuffled = records + chance.sample(records, 20)
    chance.shuffle(shuffled)
    for at in range(0, len(shuffled), 7):
        warehouse.land(batch(shuffled[at : at + 7], at))

    assert before == rules_state(query)


def test_a_version_lands_whole(warehouse: Warehouse, query: Query) -> None:
    """Every field arrives in history and latest exactly as it was sent, whatever characters it holds."""
    nasty = 'tab\t line\n return\r back\\slash quote" null \\N \x01 é 😀'
    row = signal(driver=nasty, evidence_quote=nasty, raw_tags=[nasty, "{,}", ""], account_id="\x01")
    landed = land(warehouse, changed(row, 10), changed(signal(version=2, account_id=None, sentiment_score=None), 11))

    assert landed.outcomes == {0: "applied", 1: "applied"}
    assert [(nasty, nasty, [nasty, "{,}", ""], "\x01")] == query(
        "select driver, evidence_quote, raw_tags, account_id from landing.ticket_signal_versions where version = 1"
    )
    assert query(
        "select version, account_id, sentiment_score, (custom_metrics->>'handle_time')::float from landing.ticket_signals"
    ) == [(2, None, None, 12.5)]


def test_an_older_version_joins_the_history_only(warehouse: Warehouse, query: Query) -> None:
    """A late, older version is stale: it is in the history and never the latest."""
    land(warehouse, changed(signal(version=5), 10))

    assert land(warehouse, changed(signal(version=3), 11), at=1).outcomes == {0: "stale"}
    assert query("select version from landing.ticket_signals") == [(5,)]
    assert query("select version from landing.ticket_signal_versions order by 1") == [(3,), (5,)]


def test_the_earlier_claim_stands_and_a_delete_frees_the_later(warehouse: Warehouse, query: Query) -> None:
    """An earlier claim displaces what stood; when its life ends the displaced returns from the dead letters."""
    land(warehouse, changed(signal(), 20))
    land(warehouse, changed(signal(driver="Other"), 10), at=1)

    assert query("select driver from landing.ticket_signals") == [("Other",)]
    assert query("select reason, status, source_positions from landing.dead_letters") == [("conflict", "open", [20])]

    land(warehouse, deleted("t1", 15), at=2)

    assert query("select driver, source_positions from landing.ticket_signals") == [("Billing", [20])]
    assert query("select status from landing.dead_letters") == [("resolved",)]


def test_a_key_names_one_version_of_one_ticket(warehouse: Warehouse, query: Query) -> None:
    """A key of another ticket is a conflict, one alert, one letter; a ticket that loses its only version is told gone."""
    land(warehouse, changed(signal("t1", idempotency_key="shared"), 20))
    landed = land(warehouse, changed(signal("t2", idempotency_key="shared"), 10), at=1)

    assert (landed.outcomes, [letter.reason for letter in landed.new_letters]) == ({0: "applied"}, ["conflict"])
    assert query("select ticket_id from landing.ticket_signals") == [("t2",)]
    assert query("select ticket_id, deleted_position from landing.deleted_tickets") == [("t1", 0)]
    assert query("select fingerprint, state from ops.alert_outbox") == [("stream:conflict", "firing")]


def test_a_delete_erases(warehouse: Warehouse, query: Query, warehouse_url: str) -> None:
    """After a delete no table of the warehouse holds anything the ticket's events said; its tombstone stays."""
    secret = "very-secret-words"
    said = {"driver": secret, "evidence_quote": secret, "custom_metrics": json.dumps({"a": secret}), "raw_tags": [secret]}
    land(
        warehouse,
        changed(signal(**said), 10),
        changed(signal(**{**said, "effort": "high"}), 11),
        changed(signal(version=2, **{**said, "sentiment": secret}), 12),
        record(b'{"' + secret.encode(), key={"source_system": "zendesk", "ticket_id": "t1"}),
        changed(signal("t2"), 13),
    )
    assert len(query("select 1 from landing.dead_letters")) == 3
    land(warehouse, deleted("t1", 20), at=5)
    late = land(
        warehouse, changed(signal(version=9, **{**said, "sentiment": secret}), 15), changed(signal(version=3, **said), 16), at=6
    )

    assert late.outcomes == {0: "rejected", 1: "stale"}
    assert query("select ticket_id from landing.ticket_signals") == [("t2",)]
    assert query("select ticket_id, deleted_position from landing.deleted_tickets") == [("t1", 20)]
    tables = query(
        "select table_schema, table_name from information_schema.tables where table_schema in ('landing', 'ops', 'marts')"
    )
    holding = [name for schema, name in tables if query(f"select 1 from {schema}.{name} t where t::text like %s", f"%{secret}%")]
    hexadecimal = query("select 1 from landing.dead_letters t where t::text like %s", f"%{secret.encode().hex()}%")
    assert (holding, hexadecimal) == ([], [])
    assert {("erased",)} == set(query("select status from landing.dead_letters"))


def test_an_erased_letter_is_not_sent_to_the_topic(warehouse: Warehouse) -> None:
    """A letter whose ticket was deleted before it was sent has neither key nor payload; the living ones are still to be sent."""
    land(warehouse, changed(signal(sentiment="mixed"), 10), changed(signal("t2", sentiment="mixed"), 11), deleted("t1", 20))

    assert [one.payload is not None for one in warehouse.unpublished_letters(most=9)] == [True]


def test_a_recreated_ticket_starts_anew(warehouse: Warehouse, query: Query) -> None:
    """Events after the delete are a new life, whose versions may start lower."""
    land(warehouse, changed(signal(version=7), 10), deleted("t1", 20), changed(signal(version=1), 30))

    assert query("select version from landing.ticket_signals") == [(1,)]
    assert query("select version from landing.ticket_signal_versions") == [(1,)]


def test_the_same_content_after_a_delete_is_a_row_of_the_new_life(warehouse: Warehouse, query: Query) -> None:
    """Delete and rewrite in one batch: version and conflict letter are those of the new life, as if they had come apart."""
    first = [changed(signal(), 10), changed(signal(driver="Other"), 11)]
    land(warehouse, *first)
    later = {"updated_at": "2026-11-02T09:00:00Z"}
    land(warehouse, deleted("t1", 20), changed(signal(**later), 30), changed(signal(driver="Other", **later), 31), at=2)

    [(moment, offset, positions)] = query("select updated_at, kafka_offset, source_positions from landing.ticket_signals")
    assert (moment.day, offset, positions) == (2, 3, [30])
    assert query("select updated_at, kafka_offset from landing.ticket_signal_versions") == [(moment, 3)]
    [(status, positions, payload)] = query("select status, source_positions, payload from landing.dead_letters")
    assert (status, positions, b"2026-11-02" in bytes(payload)) == ("open", [31], True)


def test_a_replay_changes_nothing(warehouse: Warehouse, query: Query) -> None:
    """Landing the same offsets again leaves every table as it was; the counts say redelivered."""
    records = [*random_records(random.Random(7), 80), record(b"{"), record(b"{")]
    warehouse.land(batch(records))
    before, alerts = contents(query), query("select count(*) from ops.alert_outbox")
    seen = query(
        "select landed_xid::text from landing.ticket_signals union all select landed_xid::text from landing.tag_taxonomy"
    )
    for at in range(0, len(records), 9):
        warehouse.land(batch(records[at : at + 9], at))

    assert before == contents(query)
    assert (alerts, seen) == (
        query("select count(*) from ops.alert_outbox"),
        query("select landed_xid::text from landing.ticket_signals union all select landed_xid::text from landing.tag_taxonomy"),
    )
    assert (
        query(
            """select
            applied + duplicate + stale + conflict + rejected + deleted - redelivered + missing = next_offset - first_offset,
        redelivered > 0 from landing.consumed_records"""
        )
        == [(True, True)] * 2
    )


def test_repeated_poison_is_one_letter(warehouse: Warehouse, query: Query) -> None:
    """The same broken record seen again is counted, not kept twice."""
    land(warehouse, record(b"{"), record(b"{"))
    land(warehouse, record(b"{"), at=2)

    seen = "select times_seen, kafka_offset, last_offset, first_seen_at < last_seen_at from landing.dead_letters"
    assert query(seen) == [(3, 0, 2, True)]


def test_accounts_keep_tombstones_without_payload(warehouse: Warehouse, query: Query) -> None:
    """A deleted account stays as a tombstone; an older state does not bring it back."""
    account = {"account_id": "acme", "name": "Acme", "plan": "pro", "segment": "smb", "owner": "kim", "updated_at": None}
    land(
        warehouse, record(envelope(account, 10), topic=ACCOUNTS), record(envelope(None, 20, "d", before=account), topic=ACCOUNTS)
    )
    landed = land(warehouse, record(envelope(account, 15), topic=ACCOUNTS), at=2)

    assert landed.outcomes == {0: "stale"}
    assert query("select account_id, name, owner, is_deleted, source_position from landing.accounts") == [
        ("acme", None, None, True, 20)
    ]


def test_a_drift_is_alerted_once(warehouse: Warehouse, query: Query) -> None:
    """However many events show a new column, and however often the worker restarts, there is one alert."""
    land(warehouse, *[changed(signal(f"t{n}", channel="chat"), n + 1) for n in range(5)])
    land(warehouse, changed(signal("t9", channel="mail"), 9), at=5)

    assert query("select fingerprint, details->'extra' from ops.alert_outbox") == [
        ("stream:drift:ticket_signals", {"channel": "unknown_column"})
    ]
    assert query("select custom_metrics->>'channel' from landing.ticket_signals where ticket_id = 't9'") == [("mail",)]


def test_a_killed_transaction_leaves_nothing(warehouse_url: str, query: Query) -> None:
    """A batch that dies before its commit has no effect at all; landed again it has all of it."""

    def die(place: str) -> None:
        raise KeyboardInterrupt(place)

    dying = Warehouse(warehouse_url, POLICY, die)
    with pytest.raises(KeyboardInterrupt):
        land(dying, changed(signal(), 10), record(b"{"))
    dying.close()

    assert sum(len(rows) for rows in contents(query).values()) + len(query("select 1 from landing.consumed_records")) == 0


def test_a_worker_that_lost_its_partition_waits_for_the_new_owner(warehouse: Warehouse, warehouse_url: str, query: Query) -> None:
    """Two transactions of one partition take turns: the second waits at the lock, then sees what the first wrote."""
    with psycopg.connect(warehouse_url) as zombie:
        zombie.execute(
            "select pg_advisory_xact_lock(hashtextextended(%s, 6231))", [f"{signal and 'cx.enrichment.ticket_signals'}/0"]
        )
        query("alter role cx in database " + zombie.info.dbname + " set lock_timeout = '100ms'")
        with pytest.raises(Unavailable):
            land(Warehouse(warehouse_url, POLICY), changed(signal(), 10))

    assert query("select 1 from landing.ticket_signals") == []


@pytest.mark.parametrize(("first", "second"), [(2, 3), (3, 2)])
def test_of_two_workers_with_one_ticket_the_newest_version_stays(
    first: int, second: int, warehouse: Warehouse, warehouse_url: str, query: Query
) -> None:
    """A ticket in two partitions at once (their number was changed): neither worker waits, in either order."""

    def land_second(place: str) -> None:
        land(warehouse, changed(signal("t1", second), second * 10)._replace(partition=1))

    land(Warehouse(warehouse_url, POLICY, land_second), changed(signal("t1", first), first * 10))

    assert query("select version from landing.ticket_signals") == [(3,)]
    assert query("select version from landing.ticket_signal_versions order by 1") == [(2,), (3,)]


def test_of_two_workers_with_one_version_the_second_finds_a_conflict(
    warehouse: Warehouse, warehouse_url: str, query: Query
) -> None:
    """Two keys for one version, each unseen by the other's worker: the second waits at the place, then decides anew.

    Guard: the unique index over ticket and version. Seen to leave two latest versions without.
    """
    waiting = "select 1 from pg_stat_activity where datname = current_database() and wait_event = 'transactionid'"
    seconds: list[Future[Landed]] = []

    def second_is_waiting(place: str) -> None:
        other = changed(signal("t1", 1, idempotency_key="another", driver="Other"), 20)._replace(partition=1)
        later = pool.submit(land, warehouse, other)
        wait_until(lambda: later.done() or query(waiting), what="the second worker at the place")
        seconds.append(later)

    with ThreadPoolExecutor(1) as pool:
        land(Warehouse(warehouse_url, POLICY, second_is_waiting), changed(signal("t1", 1), 10))
        assert seconds[0].result(timeout=30).outcomes == {0: "conflict"}

    assert query("select driver from landing.ticket_signals") == query("select driver from landing.ticket_signal_versions")
    assert query("select idempotency_key, reason from landing.dead_letters") == [("another", "conflict")]


@pytest.mark.parametrize(
    ("sabotage", "error"),
    [
        ("alter role cx in database {db} set default_transaction_read_only = on", Unavailable),
        ("alter role cx in database {db} set statement_timeout = '1ms'", Unavailable),
        ("alter table landing.ticket_signal_versions add check (driver <> 'Billing')", RefusedRecord),
        ("drop table landing.consumed_records", Misconfigured),
    ],
    ids=["read only", "statement timeout", "a constraint of somebody", "a missing table"],
)
def test_errors_are_classified(sabotage: str, error: type[Exception], warehouse_url: str, query: Query) -> None:
    """Infrastructure is retried, refused data is isolated, a wrong schema stops: by SQLSTATE, not by message."""
    query(sabotage.format(db=warehouse_url.rpartition("/")[2]))
    edge = Warehouse(warehouse_url, POLICY)
    with pytest.raises(error):
        land(edge, *[changed(signal(f"t{n}"), n + 1) for n in range(300)])
    edge.close()


def test_a_server_that_is_away_is_unavailable(server: postgres.Server) -> None:
    """No server at the address is an outage."""
    with pytest.raises(Unavailable):
        land(Warehouse("postgresql://cx:x@127.0.0.1:1/nothing", POLICY), changed(signal(), 10))
