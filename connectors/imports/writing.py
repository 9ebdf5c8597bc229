"""Writes converted rows into the enrichment store: COPY into a temporary table, one set-based upsert per wave."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TypeVar

import psycopg
from sqlalchemy import Connection, Engine, create_engine, exc, pool, text

from connectors.imports import columns, statements
from connectors.imports.conversion import Rejection, Signal
from connectors.imports.errors import StoreUnavailable
from connectors.imports.mapping import Tag
from connectors.imports.reading import Row

ATTEMPTS = 5  # of a transaction that lost a race or a deadlock against another writer
Result = TypeVar("Result")
_values = attrgetter(*columns.TICKET_COLUMNS)


@dataclass(frozen=True, slots=True)
class Item:
    """One converted row, with what it was made from."""

    row: Row
    signal: Signal


@dataclass
class Written:
    """What became of a batch: written, unchanged, older rows; accounts written; versions stored with other content."""

    written: int = 0
    unchanged: int = 0
    older: int = 0
    accounts: int = 0
    rejections: list[Rejection] = field(default_factory=list)


class Raced(Exception):
    """Another writer inserted the same ticket in the same moment; the transaction is repeated."""


class StoreWriter:
    """The one edge of the import that knows the store.

    Args:
        engine: of the store; see `connect`.
        raise_version: (item, version) -> signal, for mappings that count occurrences; None: the version is a column's.
        compare: columns that say whether content is the same.
    """

    def __init__(self, engine: Engine, raise_version: Callable[[Item, int], Signal] | None, compare: Iterable[str]) -> None:
        self._engine, self._raise = engine, raise_version
        self._upsert = text(statements.upsert_wave(compare))

    def write(self, batch: Sequence[Item]) -> Written:
        """Write one batch in one transaction; repeated when it lost a race, so its effect does not depend on luck."""
        return self._in_transaction(lambda connection: self._write(connection, batch))

    def _in_transaction(self, work: Callable[[Connection], Result]) -> Result:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with unavailable(), self._engine.begin() as connection:
                    return work(connection)
            except (Raced, psycopg.errors.DeadlockDetected):
                if attempt == ATTEMPTS:
                    raise StoreUnavailable(f"other writers won {ATTEMPTS} times; run the import again") from None
        raise AssertionError("unreachable")

    def _write(self, connection: Connection, batch: Sequence[Item]) -> Written:
        connection.exec_driver_sql(statements.CREATE_STAGE)
        waves = waves_of(item.signal.identity for item in batch)
        self._copy(connection, ((n, wave, item.signal) for n, (wave, item) in enumerate(zip(waves, batch, strict=True))))
        outcome, raised = Written(), dict[tuple[str, str], Item]()
        for wave in range(max(waves) + 1):
            for item, version, same in self._upsert_wave(connection, wave, batch):
                self._judge(item, version, same, outcome, raised)
        outcome.written = len(batch) - outcome.unchanged - outcome.older - len(outcome.rejections) - len(raised)
        self._write_raised(connection, list(raised.values()), max(waves) + 1, outcome)
        return outcome

    def _upsert_wave(self, connection: Connection, wave: int, batch: Sequence[Item]) -> Iterator[tuple[Item, int, bool]]:
        """The rows of a wave that were not written, with the version stored before and whether it says the same."""
        for row in connection.execute(self._upsert, {"wave": wave}):
            if row.version is None:
                raise Raced
            yield batch[row.ordinal], row.version, row.same

    def _judge(self, item: Item, version: int, same: bool, outcome: Written, raised: dict[tuple[str, str], Item]) -> None:
        """A row that was not written: its version, or a later one, is in the store already."""
        if same and (self._raise or version == item.signal.version):
            outcome.unchanged += 1
        elif self._raise and item.signal.is_last:
            raised[item.signal.identity] = Item(item.row, self._raise(item, version + 1))
        elif self._raise or version > item.signal.version:
            outcome.older += 1
        else:
            outcome.rejections.append(_conflict(item))

    def _write_raised(self, connection: Connection, items: Sequence[Item], wave: int, outcome: Written) -> None:
        """Newer content under a number that is taken: counts on from what is stored."""
        if items:
            self._copy(connection, ((n, wave, item.signal) for n, item in enumerate(items)))
            lost = sum(1 for _ in self._upsert_wave(connection, wave, items))
            outcome.written += len(items) - lost
            outcome.older += lost

    def _copy(self, connection: Connection, rows: Iterable[tuple[int, int, Signal]]) -> None:
        driver = connection.connection.driver_connection
        assert driver is not None  # noqa: S101 - a connection inside `begin` has one
        with driver.cursor() as cursor, cursor.copy(statements.COPY_STAGE) as copy:
            for ordinal, wave, signal in rows:
                copy.write_row((ordinal, wave, *_values(signal)))
        connection.exec_driver_sql(statements.ANALYZE_STAGE)

    def write_accounts(self, accounts: Sequence[tuple[str | None, ...]], overwrite: bool) -> int:
        """Upsert (account_id, name, plan, segment, owner) rows; the number that changed."""
        return self._write_small("accounts", columns.ACCOUNT_COLUMNS, accounts, overwrite)

    def write_taxonomy(self, tags: dict[str, Tag], overwrite: bool) -> int:
        """Upsert raw tags; the number that changed."""
        rows = [(raw_tag, tag.canonical_tag, tag.driver, tag.owner) for raw_tag, tag in tags.items()]
        return self._write_small("tag_taxonomy", columns.TAXONOMY_COLUMNS, rows, overwrite)

    def _write_small(self, table: str, names: tuple[str, ...], rows: Sequence[tuple[str | None, ...]], overwrite: bool) -> int:
        statement = text(statements.upsert_small(table, names, overwrite))
        parameters = [dict(zip(names, row, strict=True)) for row in rows]
        return self._in_transaction(lambda connection: sum(connection.execute(statement, each).rowcount for each in parameters))


def _conflict(item: Item) -> Rejection:
    signal, row = item.signal, item.row
    ticket = f"{signal.source_system}/{signal.ticket_id}"
    reason = f"version {signal.version} of {ticket} is stored with other content; raise the version"
    return Rejection(row.line, "version", str(signal.version), reason, row.text)


def waves_of(identities: Iterable[tuple[str, str]]) -> list[int]:
    """How often each row's identity came before: an upsert cannot touch a row twice, and each version is to be seen."""
    seen: dict[tuple[str, str], int] = {}
    waves = []
    for identity in identities:
        seen[identity] = wave = seen.get(identity, -1) + 1
        waves.append(wave)
    return waves


def connect(url: str) -> Engine:
    """An engine of one connection to the store at postgresql://…"""
    address = url.replace("postgresql://", "postgresql+psycopg://", 1)
    return create_engine(address, poolclass=pool.QueuePool, pool_size=1, max_overflow=0, connect_args={"connect_timeout": 5})


def read_taxonomy(engine: Engine) -> dict[str, Tag]:
    """enrichment.tag_taxonomy, without the rows that say nothing."""
    query = text("select raw_tag, canonical_tag, driver, owner from enrichment.tag_taxonomy where canonical_tag is not null")
    with unavailable(), engine.connect() as connection:
        return {row.raw_tag: Tag(row.canonical_tag, row.driver or "", row.owner) for row in connection.execute(query)}


@contextmanager
def unavailable() -> Iterator[None]:
    """Translate the driver's errors once: deadlocks stay what they are, everything else becomes StoreUnavailable."""
    try:
        yield
    except exc.DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.DeadlockDetected):
            raise error.orig from None
        raise StoreUnavailable(_first_line(error.orig)) from None
    except psycopg.errors.DeadlockDetected:
        raise
    except psycopg.Error as error:
        raise StoreUnavailable(_first_line(error)) from None
    except exc.ArgumentError:
        raise StoreUnavailable("CX_STORE_URL is not an address like postgresql://user:password@host:port/store") from None


def _first_line(error: object) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
