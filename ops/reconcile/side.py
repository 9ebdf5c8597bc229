"""One side of a comparison: a connection that answers the questions of `queries` about one relation."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg

from ops.reconcile import queries
from ops.reconcile.relations import Expressions

Identity = tuple[str, ...]
BATCH = 2000  # identities per question
OPTIONS = "-c timezone=UTC -c work_mem=64MB"  # enough to keep a million hashes of eight bytes in memory


@dataclass(frozen=True)
class Token:
    """What a row was at one moment: the hash of its content and the transaction that wrote that row version."""

    row_hash: int
    transaction: str


@dataclass(frozen=True)
class FullRow:
    """A row with its content. `position` is the newest source position, known in the warehouse only."""

    token: Token
    column_hashes: dict[str, int]
    values: dict[str, Any]
    position: int = -1


@dataclass(frozen=True)
class Side:
    """A relation behind a connection. `positions` is the SQL of the newest source position; empty in the store."""

    connection: psycopg.Connection[Any]
    expressions: Expressions
    positions: str = "-1"

    def bucket_hashes(self, buckets: int) -> dict[int, tuple[int, int]]:
        """bucket: (rows, hash over the set of rows)."""
        found = self.connection.execute(queries.bucket_hashes(self.expressions, buckets).encode())
        return {bucket: (rows, row_hash) for bucket, rows, row_hash in found}

    def bucket_rows(self, buckets: int, chosen: Sequence[int]) -> dict[Identity, int]:
        """identity: hash, of the rows of the chosen buckets."""
        found = self.connection.execute(queries.bucket_rows(self.expressions, buckets).encode(), [list(chosen)])
        return {tuple(identity): row_hash for identity, row_hash in found}

    def tokens(self, identities: Iterable[Identity]) -> dict[Identity, Token]:
        """The rows that exist now, as tokens."""
        text = queries.tokens(self.expressions).encode()
        return {
            tuple(identity): Token(row_hash, transaction)
            for some in batches(identities)
            for identity, row_hash, transaction in self.connection.execute(text, columns_of(some))
        }

    def rows(self, identities: Iterable[Identity]) -> dict[Identity, FullRow]:
        """The rows that exist now, whole."""
        text = queries.landed_rows(self.expressions, self.positions).encode()
        return {
            tuple(identity): FullRow(
                Token(row_hash, transaction),
                dict(zip(self.expressions.columns, hashes, strict=True)),
                decoded(values),
                int(position),
            )
            for some in batches(identities)
            for identity, row_hash, transaction, hashes, values, position in self.connection.execute(text, columns_of(some))
        }


def columns_of(identities: Sequence[Identity]) -> list[list[str]]:
    """One array per identity column, as the queries take them."""
    return [list(column) for column in zip(*identities, strict=True)]


def batches(identities: Iterable[Identity]) -> Iterable[list[Identity]]:
    """Lists of at most BATCH identities."""
    ordered = sorted(identities)
    return (ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH))


def decoded(values: str) -> dict[str, Any]:
    """The row as JSON values, numbers exact."""
    row: dict[str, Any] = json.loads(values, parse_float=Decimal)
    return row


def connect(url: str) -> psycopg.Connection[Any]:
    """A connection for reading that commits each statement and spells instants in UTC. `cx-reconcile` in pg_stat_activity."""
    return psycopg.connect(url, autocommit=True, connect_timeout=10, application_name="cx-reconcile", options=OPTIONS)


def column_types(connection: psycopg.Connection[Any], relation: str) -> dict[str, str]:
    """The columns a table has now and their types."""
    return dict(connection.execute(queries.COLUMN_TYPES, [relation]).fetchall())
