"""The judge lets an honest warehouse pass and catches each kind of error that is planted in one."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.judge import judge, main

JOURNAL = Path(__file__).parent.parent / "journal.sql"
COLUMNS = (
    "event_id", "occurred_at", "source_system", "ticket_id", "account_id", "sentiment", "sentiment_score", "churn_risk", "effort",
    "raw_tags", "canonical_tag", "driver", "custom_metrics", "evidence_url", "evidence_quote", "idempotency_key", "version",
    "updated_at",
)  # fmt: skip


def write(store: psycopg.Connection[Any], ticket: str, key: str, version: int, **changes: Any) -> None:
    """Upsert one enrichment, as an enrichment worker does."""
    row = {
        "event_id": "00000000-0000-4000-8000-000000000001", "occurred_at": "2026-11-20T10:00:00.25Z", "source_system": "zendesk",
        "ticket_id": ticket, "account_id": None, "sentiment": "negative", "sentiment_score": "-0.50", "churn_risk": "high",
        "effort": "low", "raw_tags": ["late"], "canonical_tag": None, "driver": None, "custom_metrics": {"words": 12.50},
        "evidence_url": "https://example.org/1", "evidence_quote": "still waiting", "idempotency_key": key, "version": version,
        **changes,
    }  # fmt: skip
    row["custom_metrics"] = Jsonb(row["custom_metrics"])
    names = ", ".join(row)
    update = ", ".join(f"{name} = excluded.{name}" for name in row)
    store.execute(
        f"insert into enrichment.ticket_signals ({names}) values ({', '.join(['%s'] * len(row))}) "
        f"on conflict (source_system, ticket_id) do update set {update}, updated_at = clock_timestamp()",
        list(row.values()),
    )


def fill_store(store: psycopg.Connection[Any]) -> None:
    """One ticket for every rule. Keys are `ticket/version`; those that must stand are listed in STANDING."""
    write(store, "grows", "grows/1", 1)
    write(store, "grows", "grows/2", 2, sentiment="neutral")
    write(store, "grows", "grows/2", 2, sentiment="neutral")
    write(store, "races", "races/2", 2)
    write(store, "races", "races/1", 1)
    write(store, "reuses", "reuses/1", 1)
    write(store, "reuses", "reuses/1", 1, sentiment="positive")
    write(store, "doubles", "doubles/1", 1)
    write(store, "doubles", "doubles/1-again", 1)
    write(store, "goes", "goes/1", 1)
    store.execute("delete from enrichment.ticket_signals where ticket_id = 'goes'")
    write(store, "returns", "returns/5", 5)
    store.execute("delete from enrichment.ticket_signals where ticket_id = 'returns'")
    write(store, "returns", "returns/1", 1)
    write(store, "breaks", "breaks/1", 1)
    write(store, "breaks", "breaks/2", 2, sentiment="furious")
    store.execute(
        "insert into enrichment.tag_taxonomy values ('late', 'shipping_delay', 'logistics', 'ops'), ('old', 'x', 'y', 'z')"
    )
    store.execute("delete from enrichment.tag_taxonomy where raw_tag = 'old'")
    store.execute("insert into enrichment.accounts values ('a1', 'Acme', 'pro', 'smb', 'eve')")


STANDING = ("grows/1", "grows/2", "races/2", "races/1", "reuses/1", "doubles/1", "returns/1", "breaks/1")
DEAD = (("conflict", "reuses", "reuses/1"), ("conflict", "doubles", "doubles/1-again"), ("unknown_value", "breaks", "breaks/2"))


def land(warehouse: psycopg.Connection[Any], row: dict[str, Any]) -> None:
    """Write one journalled row into the history."""
    landed = {**{name: row[name] for name in COLUMNS}, "content_hash": "\\x00", "source_positions": [1],
              "kafka_partition": 0, "kafka_offset": 0}  # fmt: skip
    names = ", ".join(landed)
    warehouse.execute(
        f"insert into landing.ticket_signal_versions ({names})"
        f" select {names} from jsonb_populate_record(null::landing.ticket_signal_versions, %s)",
        [Jsonb(landed)],
    )


def fill_warehouse(warehouse: psycopg.Connection[Any], journal: list[tuple[str, Any]]) -> None:
    """What an honest stream makes of `fill_store`."""
    first: dict[str, Any] = {}
    for table, row in journal:
        if table == "ticket_signals" and row:
            first.setdefault(row["idempotency_key"], row)
    for key in STANDING:
        land(warehouse, first[key])
    for ticket in ("goes", "returns"):
        warehouse.execute("insert into landing.deleted_tickets values ('zendesk', %s, 7, now())", [ticket])
    for offset, (reason, ticket, key) in enumerate(DEAD):
        warehouse.execute(
            "insert into landing.dead_letters (fingerprint, table_name, reason, detail, remedy, source_system, ticket_id,"
            " idempotency_key, topic, kafka_partition, kafka_offset, last_offset, payload)"
            " values (%s, 'ticket_signals', %s, '', '', 'zendesk', %s, %s, 't', 0, %s, 0, '{}')",
            [str(offset).encode(), reason, ticket, key, offset],
        )
    for table, row in journal:
        if row and table != "ticket_signals":
            gone = row.get("raw_tag") == "old"
            land_small(warehouse, table, {"raw_tag": "old", "is_deleted": True} if gone else {**row, "is_deleted": False})
    warehouse.execute("insert into landing.consumed_records values ('cx.enrichment.ticket_signals', 0, 0, 16, 8, 1, 1, 2, 1, 3)")


def land_small(warehouse: psycopg.Connection[Any], table: str, row: dict[str, Any]) -> None:
    """Write one journalled row of the taxonomy or the accounts."""
    landed = {"content_hash": "\\x00", "source_position": 1, "landed_at": "2026-11-20T10:00:00Z", "landed_xid": "3", **row}
    warehouse.execute(
        f"insert into landing.{table} select * from jsonb_populate_record(null::landing.{table}, %s)", [Jsonb(landed)]
    )


@dataclass
class Databases:
    """A store with a journal and a warehouse that holds what it demands."""

    store: str
    warehouse: str
    connection: psycopg.Connection[Any]

    def plant(self, statement: str) -> list[str]:
        """Execute a statement in the warehouse and return the judge's problems as `kind: subject (detail)`."""
        changed = self.connection.execute(statement)
        assert changed.rowcount == 1
        return [str(problem) for problem in judge(self.store, self.warehouse).problems]


@pytest.fixture
def databases(store_url: str, warehouse_url: str) -> Iterator[Databases]:
    """Store and warehouse in agreement."""
    with psycopg.connect(store_url, autocommit=True) as store, psycopg.connect(warehouse_url, autocommit=True) as warehouse:
        store.execute(JOURNAL.read_text())
        fill_store(store)
        entries = store.execute("select table_name, new_row::text from judge.journal order by change_number").fetchall()
        fill_warehouse(warehouse, [(table, json.loads(row) if row else None) for table, row in entries])
        yield Databases(store_url, warehouse_url, warehouse)


def test_an_honest_warehouse_passes(databases: Databases, capsys: pytest.CaptureFixture[str]) -> None:
    """Duplicates, late versions, conflicts, deletes and re-creations in the journal are no problems in themselves."""
    assert main(["--store", databases.store, "--warehouse", databases.warehouse]) == 0
    assert "holds: 6 tickets, 8 versions, 2 deleted tickets, 2 conflicts, 1 rejected" in capsys.readouterr().out


ERRORS = {
    "a lost ticket": (
        "delete from landing.ticket_signal_versions where ticket_id = 'breaks'",
        ["missing ticket: ('zendesk', 'breaks') (version 1)", "missing version: breaks/1 (version 1)"],
    ),
    "a lost version": (
        "delete from landing.ticket_signal_versions where idempotency_key = 'grows/1'",
        ["missing version: grows/1 (version 1)"],
    ),
    "an older version on top": (
        "update landing.ticket_signal_versions set version = 3 where idempotency_key = 'races/1'",
        ["different ticket: ('zendesk', 'races') (idempotency_key, version, updated_at)", "different version: races/1 (version)"],
    ),
    "a column turned null": (
        "update landing.ticket_signals set evidence_quote = null where ticket_id = 'breaks'",
        ["different ticket: ('zendesk', 'breaks') (evidence_quote)", "different version: breaks/1 (evidence_quote)"],
    ),
    "a nested value of another type": (
        """update landing.ticket_signal_versions set custom_metrics = '{"words": true}' where idempotency_key = 'grows/1'""",
        ["different version: grows/1 (custom_metrics)"],
    ),
    "the later of two conflicting contents": (
        "update landing.ticket_signals set sentiment = 'positive' where ticket_id = 'reuses'",
        ["different ticket: ('zendesk', 'reuses') (sentiment)", "different version: reuses/1 (sentiment)"],
    ),
    "an invented update time": (
        "update landing.ticket_signals set updated_at = now() where ticket_id = 'grows'",
        ["different ticket: ('zendesk', 'grows') (updated_at)", "different version: grows/2 (updated_at)"],
    ),
    "a version of a former life": (
        """insert into landing.ticket_signal_versions
           select (jsonb_populate_record(v, '{"idempotency_key": "returns/0", "version": 0}')).*
           from landing.ticket_signal_versions as v where ticket_id = 'returns'""",
        ["extra version: returns/0 (version 0)"],
    ),
    "a ticket back from the dead": (
        """insert into landing.ticket_signal_versions
           select (jsonb_populate_record(v, '{"ticket_id": "goes", "idempotency_key": "goes/1"}')).*
           from landing.ticket_signal_versions as v where ticket_id = 'breaks'""",
        ["extra ticket: ('zendesk', 'goes') (version 1)", "extra version: goes/1 (version 1)"],
    ),
    "a lost tombstone": (
        "delete from landing.deleted_tickets where ticket_id = 'goes'",
        ["missing tombstone: ('zendesk', 'goes')"],
    ),
    "a tombstone of a living ticket": (
        "insert into landing.deleted_tickets values ('zendesk', 'grows', 1)",
        ["extra tombstone: ('zendesk', 'grows')"],
    ),
    "a swallowed conflict": (
        "delete from landing.dead_letters where ticket_id = 'reuses'",
        ["missing dead letter: ('conflict', 'zendesk', 'reuses', 'reuses/1')"],
    ),
    "a swallowed rejection": (
        "delete from landing.dead_letters where ticket_id = 'breaks'",
        ["missing dead letter: ('rejected', 'zendesk', 'breaks')"],
    ),
    "a dead letter for a good event": (
        """insert into landing.dead_letters (fingerprint, table_name, reason, detail, remedy, source_system, ticket_id,
                                              idempotency_key, topic, kafka_partition, kafka_offset, last_offset)
           values ('x', 'ticket_signals', 'malformed', '', '', 'zendesk', 'grows', 'grows/1', '', 0, 0, 0)""",
        ["unexpected dead letter: malformed"],
    ),
    "an erased dead letter with payload": (
        "update landing.dead_letters set status = 'erased' where ticket_id = 'breaks'",
        ["missing dead letter: ('rejected', 'zendesk', 'breaks')", "not erased: dead letter 3"],
    ),
    "an unaccounted record": (
        "update landing.consumed_records set applied = applied - 1",
        ["unaccounted records: cx.enrichment.ticket_signals 0 (16 offsets, 15 outcomes)"],
    ),
    "a lost mapping": (
        "delete from landing.tag_taxonomy where raw_tag = 'late'",
        ["missing row: tag_taxonomy late"],
    ),
    "a changed mapping": (
        "update landing.tag_taxonomy set driver = 'people' where raw_tag = 'late'",
        ["different row: tag_taxonomy late (driver)"],
    ),
    "a deleted mapping with payload": (
        "update landing.tag_taxonomy set driver = 'y' where raw_tag = 'old'",
        ["not erased: tag_taxonomy old"],
    ),
    "an invented account": (
        "insert into landing.accounts (account_id, content_hash, source_position) values ('a2', '', 1)",
        ["extra row: accounts a2"],
    ),
}


@pytest.mark.parametrize("error", ERRORS)
def test_a_planted_error_is_named(databases: Databases, error: str) -> None:
    """Each kind of damage is reported with its ticket or key and the columns concerned, and nothing else is."""
    statement, problems = ERRORS[error]
    assert databases.plant(statement) == problems
    assert main(["--store", databases.store, "--warehouse", databases.warehouse]) == 1


def test_records_not_read_to_the_end_are_named(databases: Databases) -> None:
    """Offsets of the broker beyond those accounted for are unread records."""
    from tests.judge import compare_accounts

    row = {"topic": "t", "kafka_partition": 0, "first_offset": 0, "next_offset": 4, "applied": 4, "redelivered": 0}
    row |= dict.fromkeys(("duplicate", "stale", "conflict", "rejected", "deleted"), 0)
    assert list(compare_accounts([row], {("t", 0): (0, 4)})) == []
    problems = compare_accounts([row], {("t", 0): (0, 5), ("t", 1): (0, 1)})
    assert [str(problem) for problem in problems] == [
        "unread records: t 0 (read 0 to 4 of 0 to 5)",
        "unread records: t 1 (read 0 to 0 of 0 to 1)",
    ]


def test_a_store_without_a_journal_cannot_be_judged(
    store_url: str, warehouse_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The judge says what is missing and exits with 2."""
    assert main(["--store", store_url, "--warehouse", warehouse_url]) == 2
    assert "tests/journal.sql" in capsys.readouterr().err


def test_rows_older_than_the_journal_are_demanded(store_url: str, warehouse_url: str) -> None:
    """What is present when the journal begins must reach the warehouse too."""
    with psycopg.connect(store_url, autocommit=True) as store:
        write(store, "early", "early/1", 1)
        store.execute(JOURNAL.read_text())
    problems = [str(problem) for problem in judge(store_url, warehouse_url).problems]
    assert problems == ["missing ticket: ('zendesk', 'early') (version 1)", "missing version: early/1 (version 1)"]
