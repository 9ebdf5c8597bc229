"""One batch, one transaction: everything a batch changes in the warehouse becomes visible together, or not at all."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event

from stream.core.accounting import Consumed, Partition, count, is_fresh
from stream.core.alerts import Alert, drift_alerts, letter_alerts
from stream.core.batch import Batch
from stream.core.drift import DriftPolicy
from stream.core.letters import Letter, gather, rejection_letter
from stream.core.lookups import fold_lookups, lookup_key
from stream.core.outcomes import Outcome
from stream.core.records import Difference
from stream.edges.warehouse import accounting, alerts, breaker, letters, lookups, session
from stream.edges.warehouse.errors import translated
from stream.edges.warehouse.tickets import TangledError, land_tickets

APPLICATION_NAME = "cx-worker"


@dataclass
class Landed:
    """What one transaction did: an outcome per place, and counted; letters that were not there before; seconds per stage."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    consumed: dict[Partition, Consumed] = field(default_factory=dict)
    new_letters: list[Letter] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


Beside = Callable[[Connection, Landed], None]


class Warehouse:
    """Lands batches. Blocking: call it from a thread. Raises Unavailable, RefusedRecord or Misconfigured.

    `reached` is told "before_warehouse_commit" in every transaction of a batch.
    """

    def __init__(self, url: str, policy: DriftPolicy, reached: Callable[[str], None] = lambda place: None) -> None:
        self._policy = policy
        self._reached = reached
        self._engine = _engine(url)

    def land(self, batch: Batch, beside: Beside = lambda connection, landed: None) -> Landed:
        """Write a batch's whole effect in one transaction; `beside` writes in the same one, once, after it."""
        with translated():
            try:
                return self._transaction(batch, batch.deletes_tickets, beside)
            except (TangledError, psycopg.errors.UniqueViolation):
                return self._transaction(batch, True, beside)

    def next_offsets(self, batch: Batch) -> dict[Partition, int]:
        """The offset to be read next, of every partition of the batch's topics."""
        with translated(), self._engine.connect() as connection:
            return accounting.next_offsets(connection, {record.topic for record in batch.records})

    def raise_drifts(self, differences: Collection[Difference]) -> None:
        """Remember differences between the store and the contract, and alert those that are new."""
        with translated(), self._engine.begin() as connection:
            _raise_drifts(connection, differences)

    def breaker_is_open(self) -> bool:
        """Whether the stream stopped because of a flood."""
        with translated(), self._engine.connect() as connection:
            return breaker.is_open(connection)

    def open_breaker(self, alert: Alert) -> None:
        """Remember that the stream stops; one alert, however often it stops again."""
        self._set_breaker(True, alert)

    def close_breaker(self, alert: Alert) -> None:
        """Remember that the stream goes on."""
        self._set_breaker(False, alert)

    def unpublished_letters(self, most: int) -> list[letters.Unpublished]:
        """Dead letters that are not on the dead-letter topic yet, oldest first."""
        with translated(), self._engine.connect() as connection:
            return letters.unpublished(connection, most)

    def mark_published(self, ids: Collection[int]) -> None:
        """Remember that these letters are on the topic."""
        with translated(), self._engine.begin() as connection:
            connection.execute(letters.PUBLISHED, {"ids": list(ids)})

    def close(self) -> None:
        """Close every connection; a later call would open a new one."""
        self._engine.dispose()

    def _set_breaker(self, is_open: bool, alert: Alert) -> None:
        with translated(), self._engine.begin() as connection:
            if breaker.set_open(connection, is_open):
                alerts.raise_alerts(connection, [alert])

    def _transaction(self, batch: Batch, alone: bool, beside: Beside) -> Landed:
        started = perf_counter()
        with self._engine.begin() as connection:
            landed = self._write(connection, batch, alone)
            beside(connection, landed)
            self._reached("before_warehouse_commit")
            written = perf_counter()
        committed = perf_counter()
        landed.seconds["write"] = written - started - landed.seconds.get("fold", 0.0)
        landed.seconds["commit"] = committed - written
        return landed

    def _write(self, connection: Connection, batch: Batch, alone: bool) -> Landed:
        partitions = {(record.topic, record.partition) for record in batch.records}
        accounting.lock(connection, partitions, alone)
        offsets = accounting.next_offsets(connection, {topic for topic, _ in partitions})
        landed = Landed(dict.fromkeys(batch.without_effect, Outcome.DUPLICATE))
        tickets = land_tickets(connection, batch, offsets, alone, self._policy)
        landed.outcomes.update(tickets.outcomes)
        landed.seconds["fold"] = tickets.fold_seconds
        landed.outcomes.update(_land_lookups(connection, batch))
        landed.outcomes.update({place: Outcome.REJECTED for place, _ in batch.rejections})
        rejections = [rejection_letter(one, is_fresh(one.record, offsets)) for _, one in batch.rejections]
        landed.new_letters = letters.write_letters(connection, gather([*tickets.conflicts, *rejections]))
        landed.consumed = count(batch.records, landed.outcomes, offsets)
        accounting.write_consumed(connection, landed.consumed)
        alerts.raise_alerts(connection, letter_alerts(landed.new_letters))
        _raise_drifts(connection, batch.differences)
        return landed


def _land_lookups(connection: Connection, batch: Batch) -> Mapping[int, Outcome]:
    outcomes: dict[int, Outcome] = {}
    for table, events in batch.lookups.items():
        if events:
            known = lookups.read_known(connection, table, [lookup_key(one) for _, one in events])
            fold = fold_lookups(events, known)
            lookups.write_lookups(connection, table, fold)
            outcomes.update(fold.outcomes)
    return outcomes


def _raise_drifts(connection: Connection, differences: Collection[Difference]) -> None:
    if differences:
        alerts.raise_alerts(connection, drift_alerts(alerts.remember_drifts(connection, differences)))


def _engine(url: str) -> Engine:
    engine = create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=2,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={"application_name": APPLICATION_NAME, "connect_timeout": 10},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: psycopg.Connection[Any], _: object) -> None:
        session.prepare(connection)

    return engine
