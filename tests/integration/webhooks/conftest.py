"""A warehouse, a broker, a subscriber, and the real service in a thread; records are written as the relay writes them."""

import asyncio
import json
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from itertools import zip_longest
from typing import Any

import psycopg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from prometheus_client import CollectorRegistry

from connectors.outbound.webhooks.filter_meaning import WORDS, Field
from connectors.outbound.webhooks.filter_syntax import parse
from connectors.outbound.webhooks.metrics import Metrics
from connectors.outbound.webhooks.service import Setup, run
from connectors.outbound.webhooks.signing import decode_secret
from connectors.outbound.webhooks.subscriptions import Subscription
from tests.conftest import wait_until
from tests.fakes import subscriber
from tests.stack_fixture import RunningStack

PARTITIONS = 4
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LOOPBACK = (ip_network("127.0.0.0/8"),)
LANDED = datetime.now(UTC) + timedelta(days=1)  # after every subscription became known
FIELDS = {"churn_risk": Field(WORDS, ("none", "low", "medium", "high"), is_ordered=True), "driver": Field()}


def subscription(address: str, name: str = "one", filter_text: str = "", **more: Any) -> Subscription:
    """A subscription that may call the loopback interface."""
    settings: dict[str, Any] = {"allow_networks": LOOPBACK, "timeout_seconds": 1.0, **more}
    tree = parse(filter_text) if filter_text else None
    return Subscription(name, address, "signals", (decode_secret(SECRET),), tree, FIELDS, **settings)


@dataclass
class Topic:
    """A topic of its own with four partitions; the records of a ticket always go to the same one."""

    bootstrap: str
    name: str

    def write(
        self, *records: tuple[str, dict[str, Any] | None, str], landed: datetime = LANDED, sequences: Sequence[str] = ()
    ) -> None:
        """Append records: ticket id, value (None: deleted) and idempotency key; a repeat is the same record again.

        `sequences`: the ce_sequence of each, if they are to have one.
        """

        async def send() -> None:
            producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all")
            await producer.start()
            try:
                for (ticket, value, name), sequence in zip_longest(records, sequences):
                    headers, key, body = encoded(ticket, value, name, landed)
                    headers += [("ce_sequence", sequence.encode())] if sequence else []
                    partition = sum(ticket.encode()) % PARTITIONS
                    await producer.send(self.name, body, key=key, headers=headers, partition=partition)
                await producer.flush()
            finally:
                await producer.stop()

        asyncio.run(send())


def encoded(
    ticket: str, value: dict[str, Any] | None, key: str, landed: datetime = LANDED
) -> tuple[list[tuple[str, bytes]], bytes, bytes | None]:
    """Headers, key and value in the relay's format; ce_time follows from the key, as it does there from the landed row."""
    at = landed + timedelta(milliseconds=sum(key.encode()) % 1000)
    attributes = {
        "id": key, "type": "cx.signals.ticket.changed.v1", "source": "/cx-signals/landing", "subject": f"zendesk/{ticket}",
        "time": at.isoformat(), "specversion": "1.0",
    }  # fmt: skip
    body = (
        None if value is None else json.dumps({"source_system": "zendesk", "ticket_id": ticket, "idempotency_key": key, **value})
    )
    identity = json.dumps({"source_system": "zendesk", "ticket_id": ticket}).encode()
    return [(f"ce_{name}", text.encode()) for name, text in attributes.items()], identity, body.encode() if body else None


def change(ticket: str, version: int, churn_risk: str = "high", **more: Any) -> tuple[str, dict[str, Any], str]:
    """A changed ticket, as Topic.write takes it."""
    return ticket, {"version": version, "churn_risk": churn_risk, "driver": "Billing", **more}, f"{ticket}:{version}"


def deleted(ticket: str) -> tuple[str, None, str]:
    """A tombstone, as Topic.write takes it."""
    return ticket, None, f"deleted:zendesk/{ticket}@7"


@pytest.fixture
def topic(stack: RunningStack) -> Topic:
    """A fresh topic on the stack's broker."""
    name = f"webhooks-{uuid.uuid4().hex[:8]}"

    async def make() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka_bootstrap)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(name, PARTITIONS, 1)])
        finally:
            await admin.close()

    asyncio.run(make())
    return Topic(stack.kafka_bootstrap, name)


@pytest.fixture
def hook() -> Iterator[subscriber.Subscriber]:
    """A subscriber that takes everything until told otherwise."""
    with subscriber.running(SECRET) as fake:
        yield fake


@dataclass
class Service:
    """Starts the service on a warehouse and a topic, and asks what it wrote down."""

    warehouse_url: str
    topic: Topic
    connection: psycopg.Connection[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.connection = psycopg.connect(self.warehouse_url, autocommit=True)

    def ask(self, query: str, *values: Any) -> list[Any]:
        rows = self.connection.execute(query.encode(), values).fetchall()
        return [row[0] if len(row) == 1 else row for row in rows]

    def begin(self) -> None:
        """Have the topic read from its beginning, as by a service that has run before."""
        places = [(self.topic.name, number) for number in range(PARTITIONS)]
        self.connection.cursor().executemany("insert into ops.webhook_positions values (%s, %s, 0)", places)

    def states(self, name: str = "one") -> list[str]:
        return self.ask("select state from ops.webhook_deliveries where subscription = %s order by delivery_id", name)

    @contextmanager
    def running(
        self,
        *subscriptions: Subscription,
        read: Callable[[], Sequence[Subscription]] | None = None,
        fingerprint: Callable[[], str] = lambda: "",
    ) -> Iterator[None]:
        """The service in a thread, until the context ends; returns once it reads the topic."""
        setup = Setup(
            self.warehouse_url, {"bootstrap_servers": self.topic.bootstrap}, {"signals": self.topic.name},
            read or (lambda: subscriptions),
            fingerprint,
            sweep_every=timedelta(milliseconds=100),
        )  # fmt: skip
        loop, stop = asyncio.new_event_loop(), asyncio.Event()
        failures: list[BaseException] = []

        def work() -> None:
            try:
                loop.run_until_complete(run(setup, Metrics(CollectorRegistry()), stop))
            except BaseException as error:  # noqa: BLE001 - shown by the test that started it
                failures.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            wait_until(lambda: self.has_begun(subscriptions), 30, "the service reading the topic")
            yield
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(20)
            assert not thread.is_alive(), "the service did not stop"
            assert failures == []

    def has_begun(self, subscriptions: Sequence[Subscription]) -> bool:
        names = [one.name for one in subscriptions]
        known = self.ask("select subscription from ops.webhook_subscriptions")
        return len(self.ask("select 1 from ops.webhook_positions")) == PARTITIONS and set(names) <= set(known)


@pytest.fixture
def service(warehouse_url: str, topic: Topic) -> Iterator[Service]:
    """A service that is not running yet."""
    one = Service(warehouse_url, topic)
    yield one
    one.connection.close()
