"""A small world of tickets, tags and accounts that changes at random, written straight into the landing tables."""

import json
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

# ruff: noqa: E501 - statements read best with one clause per line

START = datetime(2026, 11, 2, tzinfo=UTC)
TAGS = [f"tag_{number}" for number in range(6)]
CANONICAL_TAGS = ["refund", "login", "outage", None]
DRIVERS = ["billing", "access", "quality", None]
ACCOUNTS = ["acme", "globex", "initech", None]
TICKETS = [(system, f"T{number}") for system in ("zendesk", "email") for number in range(7)]


class History:
    """Random changes of landing; the same seed makes the same changes."""

    def __init__(self, connection: psycopg.Connection, seed: int) -> None:
        self.connection, self.random = connection, random.Random(seed)
        self.keys = iter(range(1, 1_000_000))
        self.actions = [
            (self.enrich, 10), (self.arrive_late, 3), (self.correct, 3), (self.lose, 3), (self.delete, 2), (self.dead_letter, 1), (self.return_dead_letter, 2),
            (self.edit_mapping, 2), (self.edit_account, 2), (self.hold, 1), (self.release, 1),
        ]  # fmt: skip

    def step(self) -> None:
        """One random change in one transaction."""
        actions, weights = zip(*self.actions, strict=True)
        with self.connection.transaction():
            self.random.choices(actions, weights)[0]()

    def enrich(self) -> None:
        """A ticket gets its next version; after a delete that starts a new life."""
        ticket = self.random.choice(TICKETS)
        self.land(self.version(ticket, self.newest_version(ticket) + self.random.choice((1, 1, 2))))

    def arrive_late(self) -> None:
        """A version lower than the latest joins the history."""
        ticket = self.random.choice(TICKETS)
        known = {
            row[0]
            for row in self.query(
                "select version from landing.ticket_signal_versions where (source_system, ticket_id) = (%s, %s)", *ticket
            )
        }
        missing = sorted(set(range(1, max(known, default=1))) - known)
        if missing:
            self.land(self.version(ticket, self.random.choice(missing)))

    def correct(self) -> None:
        """The content that came first at the source takes the place of the content that was read first."""
        row = self.one("select source_system, ticket_id, version, idempotency_key from landing.ticket_signal_versions")
        if row:
            corrected = self.version(row[:2], row[2]) | {"idempotency_key": row[3]}
            self.query("delete from landing.ticket_signal_versions where idempotency_key = %s", row[3])
            self.land(corrected)

    def lose(self) -> None:
        """A conflict takes the latest version, and the one below it is found anew."""
        row = self.one("select source_system, ticket_id, version from landing.ticket_signals where version > 1")
        if row:
            self.query(
                "delete from landing.ticket_signal_versions where (source_system, ticket_id, version) = (%s, %s, %s)", *row
            )
            # Nothing stands any more: for readers it is gone, as after a delete.
            listed = "restated_tickets (source_system, ticket_id) values (%s, %s)" if self.newest_version(row[:2]) else (
                "deleted_tickets (source_system, ticket_id, deleted_position) values (%s, %s, 0)"
            )  # fmt: skip
            self.query(
                f"insert into landing.{listed} on conflict (source_system, ticket_id) do update set landed_xid = pg_current_xact_id()",
                *row[:2],
            )

    def delete(self) -> None:
        """A delete erases the ticket and leaves a tombstone."""
        ticket = self.random.choice(TICKETS)
        self.query("delete from landing.ticket_signal_versions where (source_system, ticket_id) = (%s, %s)", *ticket)
        self.query(
            "insert into landing.deleted_tickets (source_system, ticket_id, deleted_position) values (%s, %s, 1) on conflict (source_system, ticket_id)"
            " do update set landed_at = clock_timestamp(), landed_xid = pg_current_xact_id()",
            *ticket,
        )

    def dead_letter(self) -> None:
        """A record that cannot be applied."""
        ticket = self.random.choice(TICKETS)
        row = self.version(ticket, self.newest_version(ticket) + 1) | {"sentiment": "furious"}
        self.query(
            "insert into landing.dead_letters (fingerprint, table_name, reason, detail, remedy, source_system, ticket_id, idempotency_key, version,"
            " topic, kafka_partition, kafka_offset, last_offset) values (%s, 'ticket_signals', 'unknown_enum_value', '', '', %s, %s, %s, %s, 't', 0, 0, 0)",
            row["idempotency_key"].encode(), *ticket, row["idempotency_key"], row["version"],
        )  # fmt: skip

    def return_dead_letter(self) -> None:
        """A dead letter is repaired and applied, as the latest or late."""
        row = self.one(
            "select dead_letter_id, source_system, ticket_id, idempotency_key, version from landing.dead_letters where status = 'open'"
        )
        if row and not self.query(
            "select 1 from landing.ticket_signal_versions where (source_system, ticket_id, version) = (%s, %s, %s)",
            *row[1:3],
            row[4],
        ):
            self.land(self.version(row[1:3], row[4]) | {"idempotency_key": row[3]})
            self.query("update landing.dead_letters set status = 'replayed' where dead_letter_id = %s", row[0])

    def edit_mapping(self) -> None:
        """Somebody maps a raw tag otherwise, or no longer."""
        self.query(
            "insert into landing.tag_taxonomy (raw_tag, canonical_tag, driver, owner, updated_at, content_hash, source_position, is_deleted)"
            " values (%s, %s, %s, %s, %s, '', 0, %s) on conflict (raw_tag) do update set canonical_tag = excluded.canonical_tag, driver = excluded.driver,"
            " owner = excluded.owner, updated_at = excluded.updated_at, is_deleted = excluded.is_deleted,"
            " landed_at = clock_timestamp(), landed_xid = pg_current_xact_id()",
            self.random.choice(TAGS), self.random.choice(CANONICAL_TAGS), self.random.choice(DRIVERS), self.random.choice(("ann", "bob", None)),
            self.moment(), self.random.random() < 0.2,
        )  # fmt: skip

    def edit_account(self) -> None:
        """An account is captured, changed or deleted."""
        is_deleted = self.random.random() < 0.3
        name = None if is_deleted else self.random.choice(("Acme", "Globex", "Initech"))
        self.query(
            "insert into landing.accounts (account_id, name, updated_at, content_hash, source_position, is_deleted) values (%s, %s, %s, '', 0, %s)"
            " on conflict (account_id) do update set name = excluded.name, updated_at = excluded.updated_at, is_deleted = excluded.is_deleted,"
            " landed_at = clock_timestamp(), landed_xid = pg_current_xact_id()",
            self.random.choice((*ACCOUNTS[:3], "hooli")), name, self.moment(), is_deleted,
        )  # fmt: skip

    def hold(self) -> None:
        """The gate keeps the newest state of a ticket out of the marts."""
        self.query(
            "insert into ops.held_tickets (source_system, ticket_id, reason, check_name, suite) values (%s, %s, 'r', 'c', 's')"
            " on conflict (source_system, ticket_id) do update set released_at = null",
            *self.random.choice(TICKETS),
        )

    def release(self) -> None:
        """A held ticket passes again."""
        self.query("update ops.held_tickets set released_at = clock_timestamp() where released_at is null")

    def version(self, ticket: Any, version: int) -> dict[str, Any]:
        """A random enrichment of a ticket."""
        choose = self.random.choice
        return {
            "event_id": uuid.UUID(int=self.random.getrandbits(128)), "occurred_at": self.moment(), "source_system": ticket[0], "ticket_id": ticket[1],
            "account_id": choose(ACCOUNTS), "sentiment": choose(("positive", "neutral", "negative")),
            "sentiment_score": choose((None, "0.5", "-0.25", "-0.1234567")), "churn_risk": choose(("none", "low", "medium", "high")),
            "effort": choose(("low", "medium", "high")), "raw_tags": self.random.sample(TAGS, choose((0, 1, 2))),
            "canonical_tag": choose(CANONICAL_TAGS), "driver": choose(DRIVERS), "custom_metrics": json.dumps({"handle_seconds": choose((1, 2))}),
            "evidence_url": f"https://support.example/{ticket[1]}/{version}", "evidence_quote": choose((None, "It broke.")),
            "idempotency_key": f"key-{next(self.keys)}", "version": version, "updated_at": choose((None, self.moment())),
            "content_hash": b"", "source_positions": [1], "kafka_partition": 0, "kafka_offset": 0, "store_committed_at": self.moment(),
            "captured_at": choose((None, self.moment())), "landed_at": self.moment(),
        }  # fmt: skip

    def land(self, row: dict[str, Any]) -> None:
        """Write one version."""
        statement = sql.SQL("insert into landing.ticket_signal_versions ({}) values ({})").format(
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join([sql.Placeholder()] * len(row)),
        )
        self.connection.execute(statement, list(row.values()))

    def newest_version(self, ticket: Any) -> int:
        row = self.one("select version from landing.ticket_signals where (source_system, ticket_id) = (%s, %s)", *ticket)
        return row[0] if row else 0

    def moment(self) -> datetime:
        """Some moment within three weeks, on the minute more often than not so that ties happen."""
        return START + timedelta(days=self.random.randrange(21), minutes=self.random.choice((0, 0, self.random.randrange(1440))))

    def one(self, query: str, *parameters: Any) -> Any:
        rows = self.query(query, *parameters)
        return self.random.choice(sorted(rows)) if rows else None

    def query(self, query: str, *parameters: Any) -> list[Any]:
        cursor = self.connection.execute(query.encode(), parameters)
        return cursor.fetchall() if cursor.description else []
