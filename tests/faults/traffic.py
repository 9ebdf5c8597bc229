"""Enrichment workers that misbehave as real ones do, from one seed: they race, repeat, contradict, delete, re-create and hold
transactions open. What the warehouse must make of it is read from the store's journal, never from here.
"""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

SENTIMENTS, RISKS, EFFORTS = ("positive", "neutral", "negative"), ("none", "low", "medium", "high"), ("low", "medium", "high")
WORDS = ("late", "refund", "login", "crash", "naïve", "日本", "a,b", 'quo"te', "")
COLUMNS = (
    "event_id", "occurred_at", "source_system", "ticket_id", "account_id", "sentiment", "sentiment_score", "churn_risk", "effort",
    "raw_tags", "canonical_tag", "driver", "custom_metrics", "evidence_url", "evidence_quote", "idempotency_key", "version",
)  # fmt: skip
CASTS = {"event_id": "uuid", "occurred_at": "timestamptz", "sentiment_score": "numeric", "raw_tags": "text[]",
         "custom_metrics": "jsonb", "version": "bigint"}  # fmt: skip
VALUES = ", ".join(f"%({column})s::{CASTS.get(column, 'text')}" for column in COLUMNS)
UPDATES = ", ".join(f"{column} = excluded.{column}" for column in (*COLUMNS, "updated_at"))
UPSERT = (
    f"insert into enrichment.ticket_signals ({', '.join(COLUMNS)}) values ({VALUES}) "
    f"on conflict (source_system, ticket_id) do update set {UPDATES}"
)
MANY = f"insert into enrichment.ticket_signals ({', '.join(COLUMNS)}) values "
Row = dict[str, Any]


class Traffic:
    """Writers over a few connections with interleaved transactions. Tickets are named `<prefix>-<number>`.

    A ticket that an open transaction has written is left alone by the other connections: one thread drives them all.
    """

    def __init__(self, store_url: str, prefix: str, seed: int = 1, connections: int = 4) -> None:
        self.prefix = prefix
        self._random = random.Random(f"{prefix}-{seed}")
        self._connections = [psycopg.connect(store_url) for _ in range(connections)]
        self._rows: dict[str, Row] = {}  # the last row written per ticket, deleted ones included
        self._locks: dict[str, int] = {}
        self._made = 0

    def __enter__(self) -> "Traffic":
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.close()

    def write(self, operations: int) -> None:
        """Make this many operations and leave some transactions open."""
        for _ in range(operations):
            number = self._random.randrange(len(self._connections))
            self._act(number)
            if self._random.random() < 0.25:
                self._end(number, commit=self._random.random() < 0.9)

    def finish(self) -> None:
        """Commit every open transaction."""
        for number in range(len(self._connections)):
            self._end(number, commit=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Write in the background, some 300 operations a second, until the block ends; then commit what is open."""
        stop, failures = threading.Event(), list[BaseException]()
        thread = threading.Thread(target=self._run, args=(stop, failures))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        if failures:
            raise failures[0]

    def _run(self, stop: threading.Event, failures: list[BaseException]) -> None:
        try:
            while not stop.wait(0.03):
                self.write(10)
            self.finish()
        except psycopg.Error as error:
            failures.append(error)

    def _end(self, number: int, commit: bool) -> None:
        connection = self._connections[number]
        connection.commit() if commit else connection.rollback()
        self._locks = {ticket: owner for ticket, owner in self._locks.items() if owner != number}

    def _act(self, number: int) -> None:
        connection = self._connections[number]
        action = self._random.choices(tuple(ACTIONS), tuple(ACTIONS.values()))[0]
        if action == "small":
            self._write_small(connection, number)
        elif action == "many":
            self._write_many(connection, number)
        else:
            ticket = self._pick(number)
            if action == "delete":
                connection.execute("delete from enrichment.ticket_signals where ticket_id = %s", [ticket])
            else:
                self._rows[ticket] = self._vary(ticket, action)
                connection.execute(UPSERT, bound(self._rows[ticket]))

    def _pick(self, number: int) -> str:
        """A ticket that no other open transaction has touched, new in one case of four; locked by `number` from now on."""
        free = [ticket for ticket in self._rows if self._locks.get(ticket, number) == number]
        if free and self._random.random() < 0.75:
            ticket = self._random.choice(free)
        else:
            self._made += 1
            ticket = f"{self.prefix}-{self._made}"
            self._rows[ticket] = self._content(ticket, version=0)
        self._locks[ticket] = number
        return ticket

    def _vary(self, ticket: str, action: str) -> Row:
        """The next row of a ticket: a new version, or one of the misbehaviours."""
        last = self._rows[ticket]
        if action == "same again" and last["version"]:
            return last
        if action == "older" and last["version"] > 2:
            return self._content(ticket, self._random.randrange(1, last["version"]))
        if action == "other content" and last["version"]:
            return {**self._content(ticket, last["version"]), "idempotency_key": last["idempotency_key"]}
        if action == "other key" and last["version"]:
            return {**last, "idempotency_key": f"{last['idempotency_key']}-again-{self._random.randrange(3)}"}
        return self._content(ticket, last["version"] + self._random.choice((1, 1, 1, 3)))

    def _content(self, ticket: str, version: int) -> Row:
        choose, number = self._random.choice, self._random.randrange
        metrics = {"turns": number(90), "deep": {"list": [1, None, True, choose(WORDS)]}}
        return {
            "event_id": f"{self._random.getrandbits(128):032x}",
            "occurred_at": f"2026-11-{number(1, 24):02}T{number(24):02}:00:00.{choose((0, 5, 123456))}Z",
            "source_system": "zendesk",
            "ticket_id": ticket,
            "account_id": choose((None, f"{self.prefix}-a{number(5)}")),
            "sentiment": choose(SENTIMENTS),
            "sentiment_score": choose((None, f"{self._random.uniform(-1, 1):.3f}")),
            "churn_risk": choose(RISKS),
            "effort": choose(EFFORTS),
            "raw_tags": choose((None, [], self._random.sample(WORDS, 3))),
            "canonical_tag": choose((None, "billing")),
            "driver": choose((None, "pricing")),
            "custom_metrics": choose((None, {}, metrics)),
            "evidence_url": f"https://example.org/{ticket}/{version}",
            "evidence_quote": choose((None, " ".join(self._random.sample(WORDS, 4)))),
            "idempotency_key": f"{ticket}/{version}/{number(3)}",
            "version": version,
        }

    def _write_many(self, connection: psycopg.Connection[Any], number: int) -> None:
        """One statement over several tickets."""
        tickets = sorted({self._pick(number) for _ in range(self._random.randrange(2, 20))})
        for ticket in tickets:
            self._rows[ticket] = self._vary(ticket, "next")
        write_many(connection, [self._rows[ticket] for ticket in tickets])

    def _write_small(self, connection: psycopg.Connection[Any], number: int) -> None:
        """An edit of the taxonomy or of an account; each connection has rows of its own."""
        name = f"{self.prefix}-{number}-{self._random.randrange(3)}"
        table, key = self._random.choice((("tag_taxonomy", "raw_tag"), ("accounts", "account_id")))
        if self._random.random() < 0.3:
            connection.execute(f"delete from enrichment.{table} where {key} = %s", [name])
            return
        connection.execute(
            f"insert into enrichment.{table} ({key}, owner) values (%s, %s) "
            f"on conflict ({key}) do update set owner = excluded.owner, updated_at = excluded.updated_at",
            [name, self._random.choice(("ann", "bo", None))],
        )


ACTIONS = {"next": 50, "same again": 10, "older": 10, "other content": 6, "other key": 6, "delete": 8, "many": 6, "small": 4}


def bound(row: Row) -> Row:
    """A row as parameters of UPSERT."""
    metrics = row["custom_metrics"]
    return {**row, "custom_metrics": None if metrics is None else Jsonb(metrics)}


def write_many(connection: psycopg.Connection[Any], rows: list[Row]) -> None:
    """Upsert rows of different tickets in one statement."""
    tuples = ", ".join("(" + VALUES.replace("%(", f"%(r{index}_") + ")" for index in range(len(rows)))
    parameters = {f"r{index}_{column}": value for index, row in enumerate(rows) for column, value in bound(row).items()}
    connection.execute(f"{MANY}{tuples} on conflict (source_system, ticket_id) do update set {UPDATES}", parameters)


def signal(ticket: str, version: int = 1, **changes: Any) -> Row:
    """A valid row with plain values; `changes` replace columns. Its idempotency key is `<ticket>/<version>`."""
    return {
        "event_id": "00000000-0000-4000-8000-000000000001",
        "occurred_at": "2026-11-20T10:00:00Z",
        "source_system": "zendesk",
        "ticket_id": ticket,
        "account_id": "a1",
        "sentiment": "negative",
        "sentiment_score": "-0.5",
        "churn_risk": "high",
        "effort": "medium",
        "raw_tags": ["late"],
        "canonical_tag": "delay",
        "driver": "logistics",
        "custom_metrics": {"turns": version},
        "evidence_url": f"https://example.org/{ticket}",
        "evidence_quote": "still waiting",
        "idempotency_key": f"{ticket}/{version}",
        "version": version,
        **changes,
    }
