"""`cx worker` on a real broker and a real warehouse: what it commits, how it shares, how it ends."""

import json
import signal as signals
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import httpx
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from ops.stack.parts import bring_schemas_up_to_date
from tests.conftest import free_port, wait_until
from tests.faults import topics
from tests.stack_fixture import RunningStack, running_stack, tmp_directory
from tests.unit.stream.events import SIGNALS, RawRecord, changed, signal

GROUP = "cx-signals"
PARTITIONS = 12
NEXT_OFFSETS = "select kafka_partition, next_offset from landing.consumed_records where topic = %s"
COUNTS = "select coalesce(sum(applied), 0), coalesce(sum(redelivered), 0) from landing.consumed_records where topic = %s"


@pytest.fixture(scope="module")
def broker() -> Iterator[RunningStack]:
    """PostgreSQL and Kafka alone; the tests write the topics and run the workers."""
    unconcerned = ("connect", "worker", "publisher", "notifier", "reconciler")
    with tmp_directory() as directory, running_stack(directory, without=unconcerned) as stack:
        yield stack


@pytest.fixture
def clean(broker: RunningStack) -> RunningStack:
    """The broker's stack with an empty warehouse; every test leaves the topics read to their ends."""
    with psycopg.connect(broker.warehouse_url, autocommit=True) as connection:
        for schema in ("landing", "ops", "staging", "intermediate", "build", "marts", "public"):
            connection.execute(f"drop schema if exists {schema} cascade")  # type: ignore[arg-type]
        connection.execute("create schema public")
    bring_schemas_up_to_date(broker.layout)
    return broker


@contextmanager
def worker(stack: RunningStack, *options: str, **environment: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A running worker and the port of its metrics; killed at the end if it still runs."""
    port = free_port()
    program = [sys.executable, "-c", "from ops.cli import main; main()", "worker", *options]
    variables = {**stack.environment, "CX_WORKER_METRICS_PORT": str(port), **environment}
    process = subprocess.Popen(program, env=variables, stderr=subprocess.DEVNULL)
    try:
        yield process, port
    finally:
        process.kill()
        process.wait(timeout=10)


def metrics(port: int) -> str:
    """What a worker's metrics say; nothing before it answers."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/metrics").text
    except httpx.TransportError:
        return ""


def records(first: int, number: int) -> list[RawRecord]:
    return [changed(signal(f"t{n}"), n + 1) for n in range(first, first + number)]


def write(stack: RunningStack, *several: RawRecord) -> None:
    topics.write(stack.kafka_bootstrap, [topics.Written(one.topic, n % 12, one.key, one.value) for n, one in enumerate(several)])


def landed(stack: RunningStack) -> tuple[int, int]:
    """Records applied, and records that were delivered again."""
    with psycopg.connect(stack.warehouse_url) as connection:
        row = connection.execute(COUNTS, [SIGNALS]).fetchone()
        assert row is not None
        return int(row[0]), int(row[1])


def tickets(stack: RunningStack) -> set[str]:
    """The tickets that have landed; among them those of an earlier test whose worker was killed before it acknowledged."""
    with psycopg.connect(stack.warehouse_url) as connection:
        return {ticket for (ticket,) in connection.execute("select ticket_id from landing.ticket_signals")}


def committed(stack: RunningStack) -> dict[int, int]:
    """The group's committed offset of every partition."""

    async def look(consumer: AIOKafkaConsumer) -> dict[int, int]:
        return {n: await consumer.committed(TopicPartition(SIGNALS, n)) or 0 for n in range(PARTITIONS)}

    servers = stack.kafka_bootstrap
    return topics._with(lambda: AIOKafkaConsumer(bootstrap_servers=servers, group_id=GROUP, enable_auto_commit=False), look)


def next_offsets(stack: RunningStack) -> dict[int, int]:
    with psycopg.connect(stack.warehouse_url) as connection:
        return dict(connection.execute(NEXT_OFFSETS, [SIGNALS]).fetchall())


def test_a_stopped_worker_has_committed_what_it_landed(clean: RunningStack) -> None:
    """SIGTERM ends a worker with exit code 0; its group's offsets are exactly those the warehouse has landed."""
    with worker(clean) as (process, port):
        write(clean, *records(0, 240))
        wait_until(lambda: landed(clean)[0] == 240, what="240 tickets landed")
        text = metrics(port)
        process.send_signal(signals.SIGTERM)
        assert process.wait(timeout=30) == 0

    assert next_offsets(clean) == committed(clean)
    assert 'cx_records_total{outcome="applied",table="ticket_signals"} 240.0' in text
    assert "cx_batch_records_sum 240.0" in text
    for stage in ("decode", "fold", "write", "commit", "publish"):
        assert f'cx_stage_seconds_count{{stage="{stage}"}}' in text


def test_a_worker_killed_after_the_commit_repeats_and_changes_nothing(clean: RunningStack) -> None:
    """Killed between the warehouse and the offsets, the batch comes again: counted as redelivered, applied once."""
    with worker(clean, CX_FAILPOINT="after_warehouse_commit") as (process, _):
        write(clean, *records(1000, 24))
        assert process.wait(timeout=60) == -signals.SIGKILL
    applied, again = landed(clean)
    assert (applied > 0, again) == (True, 0)
    assert all(offset <= next_offsets(clean).get(partition, offset) for partition, offset in committed(clean).items())
    with worker(clean):
        wait_until(lambda: landed(clean) == (24, applied), what="the rest landed and the batch repeated")
        wait_until(lambda: committed(clean).items() >= next_offsets(clean).items(), what="the offsets following")


def test_workers_share_the_partitions_and_lose_nothing(clean: RunningStack) -> None:
    """A second worker takes over half of the partitions in the middle of traffic, and all of them when the first is killed."""
    expected = {f"t{number}" for first_ticket in (2000, 3000, 4000, 5000) for number in range(first_ticket, first_ticket + 600)}
    with worker(clean) as (first, _):
        write(clean, *records(2000, 600))
        wait_until(lambda: landed(clean)[0] > 0, what="the first worker landing")
        with worker(clean) as (_, port):
            write(clean, *records(3000, 600))
            wait_until(lambda: "cx_consumer_lag_records{" in metrics(port), what="the second worker reading")
            write(clean, *records(4000, 600))
            assert first.poll() is None, "the second one's join ended it"
            first.kill()
            write(clean, *records(5000, 600))
            wait_until(lambda: tickets(clean) >= expected, what="2,400 tickets landed")
            wait_until(lambda: next_offsets(clean) == committed(clean), what="the offsets following")


def test_a_flood_ends_the_worker_with_an_exit_code(clean: RunningStack) -> None:
    """A flood of rejected records ends the worker with exit code 1 and one alert; nothing of it is drained, restart or not."""
    write(clean, *[changed(signal(f"t{n}", sentiment="mixed"), n + 1) for n in range(6000, 6120)])
    before = committed(clean)
    for _ in range(2):
        with worker(clean) as (process, _port):
            assert process.wait(timeout=60) == 1
    with psycopg.connect(clean.warehouse_url) as connection:
        alerts = connection.execute("select fingerprint from ops.alert_outbox where fingerprint = 'stream:breaker'").fetchall()
        letters = connection.execute("select count(*) from landing.dead_letters").fetchone()

    assert ([("stream:breaker",)], before) == (alerts, committed(clean))
    assert letters is not None
    assert letters[0] < 25
    with worker(clean, "--let-through"):
        wait_until(lambda: sum(committed(clean).values()) == sum(before.values()) + 120, what="the flood let through")


def test_a_named_worker_that_is_killed_gets_its_partitions_back_at_once(clean: RunningStack) -> None:
    """Killed and started again under its name, within its session, a worker reads on and the others never notice."""
    group = "named"  # a new group: it reads everything that the other tests wrote
    last = "select count(*) from landing.ticket_signals where ticket_id = any(%s)"

    def are_landed(several: list[RawRecord]) -> bool:
        members.add(len(topics.members(clean.kafka_bootstrap, group)))
        tickets = [str(json.loads(one.key or b"")["ticket_id"]) for one in several]
        with psycopg.connect(clean.warehouse_url) as connection:
            return connection.execute(last, [tickets]).fetchone() == (len(several),)

    named = partial(worker, clean, "--let-through", "--instance", CX_CONSUMER_GROUP=group)
    members: set[int] = set()
    before, after = records(7000, 24), records(8000, 24)
    write(clean, *before)
    with named("one"), named("two") as (second, _):
        wait_until(lambda: landed(clean)[0] > 0, what="a coordinator of the group")
        wait_until(lambda: are_landed(before) and topics.members(clean.kafka_bootstrap, group) == {"one", "two"}, 120, "sharing")
        second.kill()
        second.wait()
        killed, members = time.monotonic(), set()
        write(clean, *after)
        with named("two"):
            wait_until(lambda: are_landed(after), what="the killed worker's partitions being read on")
            print(f"two: read on {time.monotonic() - killed:.1f} s after the kill")  # noqa: T201 - shown by pytest -s

    assert members == {2}, "0 stands for a rebalance, 3 for a stranger beside the dead"
