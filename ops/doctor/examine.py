"""The whole examination: ask each part, check what it says; a part that does not answer is a line of its own."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg

from ops import kafka_access, migrate, own_store
from ops.doctor import database_facts, pipeline, pipeline_facts, store, warehouse
from ops.doctor.check import Check
from ops.reconcile.relations import Relation, relations
from ops.settings import Settings
from ops.stack.topics import TOPICS
from stream.worker import read_policy


def examine(settings: Settings) -> Iterator[Check]:
    """Every check, the parts in the order in which the data travels."""
    yield from _store(settings.store_url, relations(own_store.chosen(settings)))
    yield from _pipeline(settings)
    yield from _warehouse(settings.warehouse_url)
    run_directory = Path(settings.run_directory)
    if run_directory.exists():
        yield warehouse.disk_check(str(run_directory), shutil.disk_usage(run_directory).free)


def _store(url: str, captured: Mapping[str, Relation]) -> Iterator[Check]:
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            yield Check("store: reachable", True, "it answers")
            yield warehouse.clock_check("store", database_facts.clock(connection))
            facts = database_facts.store_facts(connection, read_policy(), captured)
            yield from store.checks(facts, database_facts.newest_revision(migrate.STORE_MIGRATIONS))
    except psycopg.Error as error:
        yield Check("store: reachable", False, _sentence(error), "check CX_STORE_URL, and that the server runs")


def _warehouse(url: str) -> Iterator[Check]:
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            yield Check("warehouse: reachable", True, "it answers")
            yield warehouse.clock_check("warehouse", database_facts.clock(connection))
            facts = database_facts.warehouse_facts(connection)
            yield from warehouse.checks(facts, database_facts.newest_revision(migrate.WAREHOUSE_MIGRATIONS))
    except psycopg.Error as error:
        yield Check("warehouse: reachable", False, _sentence(error), "check CX_WAREHOUSE_URL, and that the server runs")


def _pipeline(settings: Settings) -> Iterator[Check]:
    try:
        found = pipeline_facts.topic_facts(kafka_access.chosen(settings), [topic.name for topic in TOPICS])
        yield Check("kafka: reachable", True, "it answers")
        yield from pipeline.topic_checks(TOPICS, found)
    except pipeline_facts.NoAnswer as error:
        yield Check("kafka: reachable", False, _sentence(error), "check CX_KAFKA_BOOTSTRAP, and that the broker runs: `cx up`")
    try:
        yield from pipeline.connect_checks(pipeline_facts.connect_facts(settings.connect_url))
    except pipeline_facts.NoAnswer as error:
        yield Check("connect: reachable", False, _sentence(error), "check CX_CONNECT_URL, and that Connect runs: `cx up`")


def _sentence(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
