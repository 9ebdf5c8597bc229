"""An independent judge of the pipeline: does the warehouse hold what the store's journal says it must?

Reads the journal (tests/journal.sql) and the landing tables with plain SQL and imports nothing of the project.
`python tests/judge.py --store URL --warehouse URL [--kafka HOST:PORT]` prints a verdict: exit code 0 it holds, 1 it does
not, 2 the judge could not run.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.judge_rules import SMALL_TABLES, Event, Expected, Row, Ticket, demand, identity, plain, same

LANDING = ("ticket_signals", "ticket_signal_versions", "deleted_tickets", "dead_letters", "consumed_records", *SMALL_TABLES)
TOPICS = {f"cx.enrichment.{table}" for table in ("ticket_signals", *SMALL_TABLES)}


class CouldNotJudge(Exception):
    """The judge cannot read what it needs; the message says what is missing."""


@dataclass(frozen=True)
class Problem:
    """One way in which the warehouse differs from what the journal demands."""

    kind: str
    subject: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}" + (f" ({self.detail})" if self.detail else "")


@dataclass
class Verdict:
    """The answer: no problems means that the oracle holds."""

    problems: list[Problem]
    counts: dict[str, int]

    @property
    def holds(self) -> bool:
        return not self.problems

    def __str__(self) -> str:
        counts = ", ".join(f"{number} {name}" for name, number in self.counts.items())
        kinds = ", ".join(f"{number} x {kind}" for kind, number in Counter(p.kind for p in self.problems).items())
        lines = [f"- {problem}" for problem in self.problems[:40]]
        return "\n".join([f"{'holds' if self.holds else f'DOES NOT HOLD: {kinds}'}: {counts}", *lines])


def differences(expected: Row, actual: Row) -> list[str]:
    """Names of the columns that are not as expected."""
    return [column for column, value in expected.items() if not same(value, plain(column, actual.get(column)))]


def compare_events(kind: str, expected: Mapping[Any, Event], actual: Mapping[Any, Row]) -> Iterable[Problem]:
    """Differences between expected writes and stored rows of history or of latest, by their common key."""
    for key in expected.keys() | actual.keys():
        if key not in actual:
            yield Problem(f"missing {kind}", str(key), f"version {expected[key].content['version']}")
        elif key not in expected:
            yield Problem(f"extra {kind}", str(key), f"version {actual[key]['version']}")
        else:
            event, row = expected[key], actual[key]
            columns = differences(event.content, row)
            columns += ["ticket"] if identity(row) != event.ticket else []
            columns += ["updated_at"] if plain("updated_at", row["updated_at"]) not in event.updated_at else []
            if columns:
                yield Problem(f"different {kind}", str(key), ", ".join(columns))


def compare_small(table: str, expected: Mapping[str, Row | None], actual: Mapping[str, Row]) -> Iterable[Problem]:
    """Differences of the taxonomy or the accounts; a deleted row may stay only as a tombstone without payload."""
    for key in expected.keys() | actual.keys():
        wanted, row = expected.get(key), actual.get(key)
        alive = row is not None and not row["is_deleted"]
        if wanted is None and alive:
            yield Problem("extra row", f"{table} {key}")
        elif wanted is None and row and any(row[column] is not None for column in set(SMALL_TABLES[table][1]) - {"updated_at"}):
            yield Problem("not erased", f"{table} {key}")
        elif wanted is not None and not alive:
            yield Problem("missing row", f"{table} {key}")
        elif wanted is not None and row and (columns := differences(wanted, row)):
            yield Problem("different row", f"{table} {key}", ", ".join(columns))


def compare_tombstones(expected: Expected, tombstones: set[Ticket | None]) -> Iterable[Problem]:
    """Rule 4: every ticket that was ever deleted keeps its tombstone, and no other ticket has one."""
    yield from (Problem("missing tombstone", str(ticket)) for ticket in expected.deleted.keys() - tombstones)
    yield from (Problem("extra tombstone", str(ticket)) for ticket in tombstones - expected.deleted.keys())


def compare_dead_letters(expected: Expected, rows: Sequence[Row], foreign: Sequence[str]) -> Iterable[Problem]:
    """Open dead letters are exactly the conflicts, the rejected writes, and the foreign ones, given by reason."""
    awaited = {letter(event, "conflict") for event in expected.conflicts}
    awaited |= {letter(event, "rejected") for event in expected.rejected}
    living = [row for row in rows if row["status"] == "open"]
    found = {letter_of(row): row["reason"] for row in living}
    yield from (Problem("missing dead letter", str(subject)) for subject in awaited - found.keys())
    unclaimed = Counter(row["reason"] for row in living if letter_of(row) not in awaited)
    yield from (Problem("unexpected dead letter", reason) for reason in (unclaimed - Counter(foreign)).elements())
    yield from (Problem("missing dead letter", reason) for reason in (Counter(foreign) - unclaimed).elements())
    for row in rows:
        if row["status"] == "erased" and row["payload"] is not None:
            yield Problem("not erased", f"dead letter {row['dead_letter_id']}")


def letter(event: Event, kind: str) -> tuple[Any, ...]:
    """What the dead letter of a write is recognised by. A record that cannot be read has only the identity of its key."""
    return (kind, *event.ticket, *([event.key] if kind == "conflict" else []))


def letter_of(row: Row) -> tuple[Any, ...]:
    """The same, of a dead letter."""
    if row["reason"] == "conflict":
        return ("conflict", row["source_system"], row["ticket_id"], row["idempotency_key"])
    return ("rejected", row["source_system"], row["ticket_id"])


def compare_accounts(rows: Sequence[Row], offsets: Mapping[tuple[str, int], tuple[int, int]]) -> Iterable[Problem]:
    """Rule 6: outcomes add up to the offsets read, and these reach the end of every partition (offsets: first, end)."""
    outcomes = ("applied", "duplicate", "stale", "conflict", "rejected", "deleted")
    read = {(row["topic"], row["kafka_partition"]): row for row in rows}
    for (topic, partition), row in read.items():
        counted, span = sum(row[name] for name in outcomes) - row["redelivered"], row["next_offset"] - row["first_offset"]
        if counted != span:  # what the worker itself calls missing (expired before it came) is not accounted for either
            yield Problem("unaccounted records", f"{topic} {partition}", f"{span} offsets, {counted} outcomes")
    for (topic, partition), (first, end) in offsets.items():
        row = read.get((topic, partition), {"first_offset": first, "next_offset": first})
        if row["first_offset"] > first or row["next_offset"] != end:
            span = f"read {row['first_offset']} to {row['next_offset']} of {first} to {end}"
            yield Problem("unread records", f"{topic} {partition}", span)


def rows_of(connection: psycopg.Connection[Any], relation: str) -> list[Row]:
    """All rows of a table as JSON objects, numbers exact."""
    rows = connection.execute(f"select to_jsonb(r)::text from {relation} as r")
    return [json.loads(text, parse_float=Decimal) for (text,) in rows]


def read_journal(store: str) -> list[tuple[int, str, str, Row | None, Row | None]]:
    """All entries of the journal in their order."""
    with psycopg.connect(store) as connection:
        if connection.execute("select to_regclass('judge.journal')").fetchone() == (None,):
            raise CouldNotJudge("the store has no journal: apply tests/journal.sql before any traffic")
        entries = sorted(rows_of(connection, "judge.journal"), key=lambda row: row["change_number"])
    return [(e["change_number"], e["table_name"], e["operation"], e["old_row"], e["new_row"]) for e in entries]


def judge(
    store: str,
    warehouse: str,
    *,
    kafka: str | None = None,
    foreign: Sequence[str] = (),
    history: bool = True,
    letters: bool = True,
) -> Verdict:
    """Compare the warehouse with the store's journal.

    Args:
        store, warehouse: postgresql:// addresses.
        kafka: bootstrap address; given, the offsets read are compared with the ends of the partitions.
        foreign: reasons of dead letters whose records did not come from the store, one per record.
        history: whether superseded versions are judged too (not after a gap that a backfill closed).
        letters: whether dead letters are judged.
    """
    expected = demand(read_journal(store))
    with psycopg.connect(warehouse) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        landed = {name: rows_of(connection, f"landing.{name}") for name in LANDING}
    problems = list(compare_events("ticket", expected.latest, {identity(row): row for row in landed["ticket_signals"]}))
    if history:
        stored = {row["idempotency_key"]: row for row in landed["ticket_signal_versions"]}
        problems += compare_events("version", expected.standing, stored)
    for table, (key, _) in SMALL_TABLES.items():
        problems += compare_small(table, expected.small[table], {row[key]: row for row in landed[table]})
    problems += compare_tombstones(expected, {identity(row) for row in landed["deleted_tickets"] if row["deleted_position"]})
    if letters:
        problems += compare_dead_letters(expected, landed["dead_letters"], foreign)
    offsets = asyncio.run(partition_offsets(kafka)) if kafka else {}
    problems += compare_accounts(landed["consumed_records"], offsets)
    counts = {"tickets": len(expected.latest), "versions": len(expected.standing), "deleted tickets": len(expected.deleted),
              "conflicts": len(expected.conflicts), "rejected": len(expected.rejected)}  # fmt: skip
    return Verdict(sorted(problems, key=str), counts)


async def partition_offsets(bootstrap: str) -> dict[tuple[str, int], tuple[int, int]]:
    """First and end offset of every partition of the captured topics."""
    from aiokafka import AIOKafkaConsumer

    consumer = AIOKafkaConsumer(*TOPICS, bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        partitions = consumer.assignment()  # without a group: every partition
        first, end = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        return {(p.topic, p.partition): (first[p], end[p]) for p in partitions}
    finally:
        await consumer.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of the judge."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--store", required=True, help="postgresql:// address of the enrichment store")
    parser.add_argument("--warehouse", required=True, help="postgresql:// address of the warehouse")
    parser.add_argument("--kafka", help="host:port; also compare the offsets read with the ends of the partitions")
    parser.add_argument("--latest-only", action="store_true", help="do not judge superseded versions")
    given = parser.parse_args(arguments)
    try:
        verdict = judge(given.store, given.warehouse, kafka=given.kafka, history=not given.latest_only)
    except (CouldNotJudge, psycopg.Error, OSError) as error:
        print(f"could not judge: {error}", file=sys.stderr)  # noqa: T201
        return 2
    print(verdict)  # noqa: T201
    return 0 if verdict.holds else 1


if __name__ == "__main__":
    sys.exit(main())
