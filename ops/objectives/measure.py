"""The edge that measures: one value per objective, from the warehouse, the store and Kafka. Short and read-only.

A source without an address is not asked; one that does not answer is a value too: None.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import psycopg

from connectors import register
from ops.objectives.rules import Objective
from ops.stack import probes
from stream.kafka import KafkaAccess, KafkaUnreachable

log = logging.getLogger("cx.objectives")
T = TypeVar("T")


@dataclass(frozen=True)
class Sources:
    """Where to ask. An empty address is not asked."""

    warehouse_url: str
    store_url: str = ""
    kafka: KafkaAccess | None = None
    connect_url: str = ""
    consumer_group: str = ""
    topics: Sequence[str] = ()


@dataclass(frozen=True)
class Measured:
    """One look at everything. `values` lacks objectives with nothing to measure; None: the source did not answer."""

    values: dict[str, float | None]
    lag: probes.Facts | None = None
    slot: probes.Facts | None = None
    connector: register.ConnectorStatus | None = None


def look(sources: Sources, objectives: Iterable[Objective]) -> Measured:
    """Ask every source once."""
    wanted = list(objectives)
    lag = _lag(sources)
    values = {
        **_from_sql(sources.warehouse_url, [one for one in wanted if one.source == "warehouse"]),
        **_from_sql(sources.store_url, [one for one in wanted if one.source == "store"]),
        **_from_kafka(sources, lag, [one for one in wanted if one.source == "kafka"]),
    }
    return Measured(values, lag, _slot(sources), _connector(sources))


def _from_sql(url: str, objectives: Sequence[Objective]) -> dict[str, float | None]:
    """Each query in a transaction of its own: one that fails or takes too long spoils no other."""
    if not url or not objectives:
        return {}
    try:
        with psycopg.connect(url, autocommit=True, **probes.CONNECT_OPTIONS) as connection:  # type: ignore[arg-type]
            answers = {one.name: _ask(connection, one) for one in objectives}
    except psycopg.OperationalError:
        return dict.fromkeys((one.name for one in objectives), None)
    return {name: value for name, (has_answer, value) in answers.items() if has_answer}


def _ask(connection: psycopg.Connection[Any], objective: Objective) -> tuple[bool, float | None]:
    """(False, None): there is nothing to measure. (True, None): the query failed."""
    try:
        row = connection.execute(objective.query).fetchone()
    except psycopg.Error as error:
        if connection.broken:
            raise
        log.warning("objective %s cannot be measured: %s", objective.name, " ".join(str(error).split()))
        return True, None
    return (True, float(row[0])) if row and row[0] is not None else (False, None)


def _from_kafka(sources: Sources, lag: probes.Facts | None, objectives: Sequence[Objective]) -> dict[str, float | None]:
    if sources.kafka is None:
        return {}
    measures: dict[str, float | None] = {}
    if lag is not None:
        measures = {"lag_records": float(lag["records"]), "lag_seconds": lag["seconds"]}
    return {one.name: measures.get(one.query) for one in objectives}


def _lag(sources: Sources) -> probes.Facts | None:
    kafka, group, topics = sources.kafka, sources.consumer_group, tuple(sources.topics)
    return _or_none(lambda: probes.lag(kafka, group, topics)) if kafka else None


def _slot(sources: Sources) -> probes.Facts | None:
    return _or_none(lambda: probes.slot(sources.store_url)) if sources.store_url else None


def _connector(sources: Sources) -> register.ConnectorStatus | None:
    return _or_none(lambda: register.status(sources.connect_url)) if sources.connect_url else None


def _or_none(question: Callable[[], T | None]) -> T | None:
    try:
        return question()
    except KafkaUnreachable as error:
        log.warning("%s", error)
        return None
    except (psycopg.Error, httpx.HTTPError, OSError, TimeoutError):
        return None
