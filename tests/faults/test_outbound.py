"""`cx outbound` dies by kill -9 between each two steps, on a real broker and warehouse; judged by what arrived alone.

The judge of the topics reads the topics, the judge of the CRM reads what the CRM applied; both know landing's final state.
"""

import asyncio
import json
import random
import signal as signals
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from connectors.outbound.relay.snapshots import snapshot
from ops.outbound import failpoints
from ops.stack.topics import OUTBOUND
from stream.core.batch import divide
from stream.core.decode import decode
from stream.core.records import RawRecord
from stream.edges.warehouse.landing import Warehouse
from stream.worker import read_policy
from tests.conftest import free_port, wait_until
from tests.fakes import crm as fake_crm
from tests.fakes.crm import FakeCrm
from tests.fakes.topic import Arrived, arrived
from tests.stack_fixture import RunningStack, running_stack, tmp_directory
from tests.unit.stream.events import changed, deleted, signal

CANONICAL, CRM = "cx.signals.v1", "cx.signals.crm.v1"
QUOTE = b"my money"  # of every quote that tests.unit.stream.events.signal makes
IN_CI = {"relay_after_send", "crm_after_request"}
FILE = """
url: {url}
api_version: v62.0
object: Account
external_id: CX_Account_Id__c
fields:
  {{churn_risk: Risk__c, ticket: Ticket__c, driver: Driver__c, evidence_url: Evidence__c,
    idempotency_key: Key__c, version: Version__c}}
token: {{url: "{url}/services/oauth2/token", client_id_variable: CRM_ID, client_secret_variable: CRM_SECRET}}
settle_seconds: 1
"""


def places(service: str) -> list[Any]:
    """The failpoints of a service; a few of them run with every `make test`."""
    named = [word.strip(",") for word in (failpoints.__doc__ or "").split() if word.startswith(f"{service}_")]
    return [pytest.param(place, marks=[pytest.mark.ci] if place in IN_CI else []) for place in named]


@pytest.fixture(scope="module")
def broker() -> Iterator[RunningStack]:
    """PostgreSQL and Kafka alone, a relay that has begun; the tests land and run `cx outbound` themselves."""
    unconcerned = ("connect", "worker", "publisher", "notifier", "outbound")
    with tmp_directory() as directory, running_stack(directory, without=unconcerned) as stack:
        with outbound(stack):
            wait_until(lambda: is_carried(stack), what="a first start")
        yield stack


@pytest.fixture
def edge(broker: RunningStack) -> Iterator[Warehouse]:
    """The stream's own way into landing."""
    warehouse = Warehouse(broker.warehouse_url, read_policy())
    yield warehouse
    warehouse.close()


@pytest.fixture
def crm() -> Iterator[FakeCrm]:
    """A fresh, empty CRM."""
    with fake_crm.running() as running:
        yield running


class History:
    """Changes and deletes of a few tickets, landed batch by batch; remembers what was applied."""

    def __init__(self, edge: Warehouse, prefix: str, seed: int = 1) -> None:
        self._edge, self._prefix, self._random = edge, prefix, random.Random(f"{prefix}{seed}")
        self._versions: Counter[str] = Counter()
        self._position = self._next_position()
        self.applied: list[tuple[tuple[str, str], str]] = []

    def _next_position(self) -> int:
        History.position = getattr(History, "position", 0) + 1_000_000
        return History.position

    def land(self, batches: int, size: int = 20) -> None:
        for _ in range(batches):
            batch = [self._event() for _ in range(size)]
            outcomes = self._edge.land(divide(decode(one, read_policy()) for one in batch)).outcomes
            for place, outcome in outcomes.items():
                if outcome.value == "applied":
                    row = json.loads(batch[place].value or b"")["after"]
                    self.applied.append((("zendesk", row["ticket_id"]), row["idempotency_key"]))

    def _event(self) -> RawRecord:
        self._position += 1
        ticket = f"{self._prefix}-{self._random.randrange(25)}"
        if self._random.random() < 0.1:
            return deleted(ticket, self._position, offset=self._position)
        self._versions[ticket] += 1
        account, risk = f"account-{self._random.randrange(5)}", self._random.choice(["none", "low", "medium", "high"])
        version = self._versions[ticket] if self._random.random() < 0.8 else max(1, self._versions[ticket] - 2)
        row = signal(ticket, version, account_id=account, churn_risk=risk, idempotency_key=f"{ticket}:{self._position}")
        return changed(row, self._position, offset=self._position)


@contextmanager
def outbound(stack: RunningStack, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A running `cx outbound`; killed at the end if it still runs."""
    variables = {**stack.environment, "CX_OUTBOUND_METRICS_PORT": str(free_port()), **environment}
    program = [sys.executable, "-c", "from ops.cli import main; main()", "outbound"]
    process = subprocess.Popen(program, env=variables, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=10)


def with_crm(crm: FakeCrm, directory: Path) -> dict[str, str]:
    """The environment in which `cx outbound` tells this CRM."""
    (directory / "crm.yml").write_text(FILE.format(url=crm.address))
    return {"CX_CRM": str(directory / "crm.yml"), "CRM_ID": "id", "CRM_SECRET": fake_crm.SECRET}


def read(stack: RunningStack, topic: str) -> list[tuple[Any, Arrived]]:
    """All records of a topic, raw and as a consumer sees them, in the order of each partition."""

    async def take() -> list[Any]:
        consumer = AIOKafkaConsumer(topic, bootstrap_servers=stack.kafka_bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            ends = await consumer.end_offsets(consumer.assignment())
            found: list[Any] = []
            while any([await consumer.position(partition) < end for partition, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += records
            return found
        finally:
            await consumer.stop()

    return [(one, arrived(topic, one.key, one.value, one.headers)) for one in asyncio.run(take())]


def is_carried(stack: RunningStack) -> bool:
    """Whether the relay has written off all that has landed."""
    with psycopg.connect(stack.warehouse_url) as connection:
        row = connection.execute("select seen::text, filling from ops.outbound_relay").fetchone()
        if row is None or row[1]:
            return False
        unseen = snapshot(row[0]).unseen("row")
        tables = ("ticket_signal_versions", "restated_tickets", "deleted_tickets")
        exists = " or ".join(f"exists (select from landing.{table} as row where {unseen})" for table in tables)
        return connection.execute(f"select {exists}".encode()).fetchone() == (False,)


def judge_topics(stack: RunningStack, applied: list[tuple[tuple[str, str], str]]) -> Counter[str]:
    """Demand that the topics tell what landed, in order and without a quote; how often each canonical record came."""
    with psycopg.connect(stack.warehouse_url) as connection:
        rows = connection.execute("select source_system, ticket_id, idempotency_key from landing.ticket_signals").fetchall()
    landed = {(system, ticket): key for system, ticket, key in rows}
    for topic in OUTBOUND:
        raw, told = zip(*read(stack, topic), strict=True)
        held: dict[tuple[str, str], str] = {}
        seen: dict[tuple[str, str], str] = {}
        for one in told:
            if one.headers["ce_sequence"] > seen.get(one.ticket, ""):
                seen[one.ticket] = one.headers["ce_sequence"]
                held.pop(one.ticket, None)
                if one.value is not None:
                    held[one.ticket] = one.value["idempotency_key"]
        newest = {one.ticket: one.value for one in told}
        assert held == {t: value["idempotency_key"] for t, value in newest.items() if value} == landed, topic
        names, gone = {(one.ticket, one.headers["ce_id"]) for one in told}, {one.ticket for one in told if one.value is None}
        assert all(one in names or one[0] in gone for one in applied), f"{topic} misses a change"
        assert not any(QUOTE in (record.value or b"") for record in raw), f"{topic} holds a quote"
        assert all(record.key == record.key.strip() and record.headers for record in raw)
    canonical = [one for _, one in read(stack, CANONICAL)]
    sequences: dict[tuple[str, str], set[str]] = {}  # by record and epoch: a refill tells everything under the next epoch
    for one in canonical:
        place = one.headers["ce_sequence"]
        sequences.setdefault((one.headers["ce_id"], place.partition("-")[0]), set()).add(place)
    assert all(len(several) == 1 for several in sequences.values()), "a repeat had another sequence"
    return Counter(one.headers["ce_id"] for one in canonical)


@pytest.mark.parametrize("place", places("relay"))
def test_a_killed_relay_misses_and_invents_nothing(broker: RunningStack, edge: Warehouse, place: str) -> None:
    """Wherever it died, the topics end as landing does; what was sent and not written off comes again as it was."""
    history = History(edge, place)
    before = Counter(one.headers["ce_id"] for _, one in read(broker, CANONICAL))
    history.land(5)
    with outbound(broker, CX_FAILPOINT=place) as process:
        assert process.wait(timeout=60) == -signals.SIGKILL
    history.land(3)
    with outbound(broker):
        wait_until(lambda: is_carried(broker), what="the relay carrying the rest")
    after = judge_topics(broker, history.applied)

    repeated = {name for name, times in after.items() if times > before.get(name, 0) + (name not in before)}
    assert bool(repeated) == (place == "relay_after_send")


def expected(stack: RunningStack) -> dict[str, tuple[str, set[str]]]:
    """By account: the highest risk among its living tickets, and the keys of the tickets that have it."""
    with psycopg.connect(stack.warehouse_url) as connection:
        rows = connection.execute("""
            with ranked as (
                select account_id, churn_risk, idempotency_key, rank() over (
                    partition by account_id order by array_position(array['high', 'medium', 'low', 'none'], churn_risk)
                ) as place
                from landing.ticket_signals
            )
            select account_id, min(churn_risk), array_agg(idempotency_key) from ranked where place = 1 group by account_id
        """).fetchall()
    return {account: (risk, set(keys)) for account, risk, keys in rows}


def is_right(stack: RunningStack, crm: FakeCrm) -> bool:
    """Whether every account of the CRM shows its worst living ticket, and those without one nothing."""
    wanted = expected(stack)
    told = {account: (fields["Risk__c"], fields["Key__c"]) for account, fields in list(crm.accounts.items())}
    shown = {account for account, (risk, _) in told.items() if risk is not None}
    return shown == set(wanted) and all(told[a][0] == risk and told[a][1] in keys for a, (risk, keys) in wanted.items())


def assert_no_regress(crm: FakeCrm, told: list[Arrived]) -> None:
    """Demand that no ticket's version in the CRM was followed by one that the topic told before it."""
    order = {one.headers["ce_id"]: one.headers["ce_sequence"] for one in told}
    shown: dict[tuple[str, str], str] = {}
    for account, fields in crm.log:
        if fields["Key__c"] is not None:
            place, ticket = order[fields["Key__c"]], (account, fields["Ticket__c"])
            assert place >= shown.get(ticket, ""), f"{account} went back to {fields['Key__c']}"
            shown[ticket] = place


@pytest.mark.parametrize("place", places("crm"))
def test_a_killed_crm_service_leaves_the_crm_right(
    broker: RunningStack, edge: Warehouse, crm: FakeCrm, tmp_path: Path, place: str
) -> None:
    """Whatever it had done when it died, the CRM ends with the flags that landing gives, and no field ever goes back."""
    history, environment = History(edge, place), with_crm(crm, tmp_path)
    fresh(broker)
    history.land(3)
    crm.locked, crm.script = {"account-0": 1}, [fake_crm.LOST]
    with outbound(broker, CX_FAILPOINT=place, **environment) as process:
        assert process.wait(timeout=60) == -signals.SIGKILL
    history.land(3)
    with outbound(broker, **environment):
        wait_until(lambda: is_right(broker, crm), what="the CRM showing what landed")
        history.land(3)
        wait_until(lambda: is_carried(broker) and is_right(broker, crm), what="the CRM showing what landed later")

    assert_no_regress(crm, [one for _, one in read(broker, CRM)])


def fresh(stack: RunningStack) -> None:
    """Forget what other tests told a CRM, so that this one is told everything."""
    with psycopg.connect(stack.warehouse_url, autocommit=True) as connection:
        connection.execute("truncate ops.crm_tickets, ops.crm_accounts")
        connection.execute("update ops.outbound_relay set epoch = epoch + 1, filling = 'deleted', seen = pg_current_snapshot()")


@pytest.mark.parametrize("part", ["kafka", "postgres"])
def test_an_outage_is_waited_out(broker: RunningStack, edge: Warehouse, part: str) -> None:
    """With the broker or the warehouse killed under it, the relay goes on by itself, and nothing is missing."""
    history = History(edge, part)
    with outbound(broker) as process:
        history.land(3)
        broker.kill(part, stay_down=False)
        broker.wait_until_up(part)
        history.land(3)
        wait_until(lambda: is_carried(broker), 120, what="the relay carrying what has landed")
        assert process.poll() is None
    judge_topics(broker, history.applied)


def test_a_second_relay_waits_for_the_first(broker: RunningStack, edge: Warehouse) -> None:
    """Of two processes one carries; when it is killed the other goes on, and no ticket's records are out of order."""
    history = History(edge, "second")
    with outbound(broker) as first:
        wait_until(lambda: is_carried(broker), what="the first carrying")
        with outbound(broker):
            history.land(5)
            first.kill()
            history.land(5)
            wait_until(lambda: is_carried(broker), what="the second carrying")
    judge_topics(broker, history.applied)


@pytest.mark.ci
def test_records_twice_and_out_of_order_change_nothing(
    broker: RunningStack, edge: Warehouse, crm: FakeCrm, tmp_path: Path
) -> None:
    """The CRM stays right when every record of its topic comes again, shuffled."""
    history, environment = History(edge, "shuffled"), with_crm(crm, tmp_path)
    fresh(broker)
    history.land(6)
    with outbound(broker, **environment):
        wait_until(lambda: is_carried(broker) and is_right(broker, crm), what="the CRM showing what landed")
        told = [record for record, _ in read(broker, CRM)]
        random.Random(1).shuffle(told)
        asyncio.run(_write(broker, told))
        history.land(1)
        wait_until(lambda: is_carried(broker) and is_heard(broker), what="everything being heard again")
        wait_until(lambda: is_right(broker, crm), what="the CRM showing what landed")

    assert_no_regress(
        crm, [arrived(CRM, one.key, one.value, one.headers) for one in told] + [one for _, one in read(broker, CRM)]
    )


async def _write(stack: RunningStack, records: list[Any]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap) as producer:
        for one in records:
            await producer.send(CRM, one.value, key=one.key, partition=one.partition, headers=list(one.headers))


def is_heard(stack: RunningStack) -> bool:
    """Whether the CRM's group has read its topic to the end."""

    async def ask() -> bool:
        async with AIOKafkaConsumer(CRM, bootstrap_servers=stack.kafka_bootstrap, group_id="cx-crm-watch") as consumer:
            ends = await consumer.end_offsets([TopicPartition(CRM, number) for number in range(12)])
        async with AIOKafkaConsumer(bootstrap_servers=stack.kafka_bootstrap, group_id="cx-crm", enable_auto_commit=False) as own:
            return all([(await own.committed(partition) or 0) == end for partition, end in ends.items()])

    return asyncio.run(ask())
