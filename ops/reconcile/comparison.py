"""Compare one table: hashes of buckets, then of the rows of differing buckets, then the evidence on each differing row."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import psycopg

from ops.reconcile import evidence, queries
from ops.reconcile.compare import bucket_count, differing_buckets, differing_rows, questions, sizes
from ops.reconcile.relations import Relation, expressions
from ops.reconcile.settled import NotSettled, store_position
from ops.reconcile.side import Identity, Side, Token, batches, column_types, connect
from ops.reconcile.verdicts import DIFFERENCES, Evidence, Kind, Verdict, judge
from stream.core.positions import reached

ROUNDS = 4
MOST_CANDIDATES = 100_000
Settle = Callable[[int], None]
Answer = TypeVar("Answer")


class CouldNotCompare(Exception):
    """The comparison cannot be made; the message says why."""


@dataclass
class Comparison:
    """What came of comparing one table. `looked_from` is the store's clock just before its rows were hashed."""

    table: str
    verdicts: list[Verdict] = field(default_factory=list)
    store_rows: int = 0
    warehouse_rows: int = 0
    looked_from: datetime | None = None
    is_truncated: bool = False
    stage_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def differences(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.kind in DIFFERENCES]

    @property
    def verified_through(self) -> datetime | None:
        """Changes acknowledged by the store before are in the warehouse by value, or accounted for. None: not so."""
        is_verified = not self.differences and not self.of(Kind.IN_FLIGHT) and not self.is_truncated
        return self.looked_from if is_verified else None

    def of(self, kind: Kind) -> int:
        return sum(verdict.kind == kind for verdict in self.verdicts)


@dataclass(frozen=True)
class Sides:
    """The same table in the store and in the warehouse."""

    relation: Relation
    store: Side
    warehouse: Side
    warehouse_url: str
    store_types: Mapping[str, str] = field(default_factory=dict)  # the store's columns under their own names

    @property
    def is_versioned(self) -> bool:
        return self.relation.table == "ticket_signals"


@contextmanager
def open_sides(relation: Relation, store_url: str, warehouse_url: str) -> Iterator[Sides]:
    """Connect to both sides and make sure that they hash alike. Raises CouldNotCompare."""
    with connect(store_url) as store, connect(warehouse_url) as warehouse:
        if store.execute(queries.PROBE).fetchone() != warehouse.execute(queries.PROBE).fetchone():
            raise CouldNotCompare("the two PostgreSQL servers hash the same values differently: run both on the same version")
        try:
            types = column_types(store, relation.store_sql)
        except psycopg.errors.UndefinedTable as error:
            raise CouldNotCompare(f"the store has no table {relation.store}") from error
        store_side, warehouse_side = expressions(relation, types)
        positions = "coalesce(source_positions[cardinality(source_positions)], -1)"
        positions = positions if relation.table == "ticket_signals" else "source_position"
        yield Sides(relation, Side(store, store_side), Side(warehouse, warehouse_side, positions), warehouse_url, types)


def compare(sides: Sides, settle: Settle, pause: Callable[[float], None] = time.sleep) -> Comparison:
    """Compare a table.

    Args:
        sides: both sides, connected.
        settle: returns when the warehouse has consumed all that the store had committed at a position; called only when
            something looks different.
        pause: waits some seconds between two looks at a row that moves.
    """
    result = Comparison(sides.relation.table)
    with _timed(result, "hashes"):
        result.looked_from = _store_clock(sides)
        candidates = _candidates(sides, result)
    result.is_truncated = len(candidates) > MOST_CANDIDATES
    with _timed(result, "evidence"):
        chosen = set(sorted(candidates)[:MOST_CANDIDATES])
        try:
            verdicts = look(sides, chosen, settle, pause)
        except NotSettled as error:
            raise NotSettled(f"{error}; {len(candidates)} rows look different") from error
        result.verdicts = [verdict for verdict in verdicts if verdict.kind != Kind.SAME]
    return result


def values(sides: Sides, verdicts: Sequence[Verdict]) -> dict[Identity, dict[str, tuple[Any, Any]]]:
    """What the differing columns of some rows hold now: column: (in the store, in the warehouse)."""
    different = {one.identity: one.columns for one in verdicts if one.kind == Kind.DIFFERENT}
    store, warehouse = sides.store.rows(different), sides.warehouse.rows(different)
    return {
        identity: {column: (store[identity].values[column], warehouse[identity].values[column]) for column in columns}
        for identity, columns in different.items()
        if identity in store and identity in warehouse
    }


def look(sides: Sides, candidates: set[Identity], settle: Settle, pause: Callable[[float], None] = time.sleep) -> list[Verdict]:
    """Judge some rows, those in flight again up to ROUNDS times."""
    verdicts: dict[Identity, Verdict] = {}
    open_rows, still = set(candidates), set(candidates)
    tokens: dict[Identity, Token] = {}
    for attempt in range(ROUNDS):
        if not open_rows:
            break
        if attempt:
            pause(0.5 * attempt)
        before = sides.store.tokens(open_rows)
        still &= {identity for identity in open_rows if not attempt or before.get(identity) == tokens.get(identity)}
        tokens = before
        position = store_position(sides.store.connection)
        settle(position)
        for some in batches(open_rows):
            for found in _evidence(sides, some, before, position):
                verdicts[found.identity] = judge(found, last_chance=attempt == ROUNDS - 1 and found.identity in still)
        open_rows = {identity for identity in open_rows if verdicts[identity].kind == Kind.IN_FLIGHT}
    return [verdicts[identity] for identity in sorted(verdicts)]


def _candidates(sides: Sides, result: Comparison) -> set[Identity]:
    estimate = sides.store.connection.execute(
        "select greatest(reltuples, 0)::bigint from pg_class where oid = %s::regclass", [sides.relation.store_sql]
    ).fetchone()
    buckets = bucket_count(estimate[0] if estimate else 0)
    store, warehouse = _both(lambda side: side.bucket_hashes(buckets), sides)
    result.store_rows = sum(rows for rows, _ in store.values())
    result.warehouse_rows = sum(rows for rows, _ in warehouse.values())
    candidates: set[Identity] = set()
    for group in questions(differing_buckets(store, warehouse), sizes(store, warehouse)):
        ours, theirs = _both(lambda side, chosen=group: side.bucket_rows(buckets, chosen), sides)  # type: ignore[misc]
        candidates |= differing_rows(ours, theirs)
        if len(candidates) > MOST_CANDIDATES:
            break
    return candidates


def _both(ask: Callable[[Side], Answer], sides: Sides) -> tuple[Answer, Answer]:
    """Ask both servers at the same time."""
    with ThreadPoolExecutor(2) as pool:
        store, warehouse = pool.submit(ask, sides.store), pool.submit(ask, sides.warehouse)
        return store.result(), warehouse.result()


def _evidence(sides: Sides, identities: list[Identity], before: dict[Identity, Token], position: int) -> Iterator[Evidence]:
    """The warehouse in one snapshot, then the store again."""
    warehouse = sides.warehouse
    with warehouse.connection.transaction():
        warehouse.connection.execute("set transaction isolation level repeatable read, read only")
        landed = warehouse.rows(identities)
        letters = evidence.letters_of(warehouse.connection, sides.relation, identities)
        versions = evidence.versions_of(warehouse.connection, warehouse.expressions, identities) if sides.is_versioned else {}
    now = sides.store.rows(identities)
    for identity in identities:
        row = now.get(identity)
        yield Evidence(
            identity,
            before.get(identity),
            landed.get(identity),
            row,
            reached(position),
            evidence.content_hash(sides.relation.table, row.values) if row else None,
            versions.get(identity, ()),
            letters.get(identity, ()),
        )


def _store_clock(sides: Sides) -> datetime:
    row = sides.store.connection.execute("select clock_timestamp()").fetchone()
    assert row is not None  # noqa: S101  # an expression without a table has one row
    moment: datetime = row[0]
    return moment


@contextmanager
def _timed(result: Comparison, stage: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    result.stage_seconds[stage] = round(time.perf_counter() - began, 3)
