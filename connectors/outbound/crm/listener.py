"""From cx.signals.crm.v1 to what each account should show: offsets are committed after the warehouse has it."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer
from psycopg import AsyncConnection

from connectors.outbound.crm import memory
from connectors.outbound.crm.flags import RISKS, Heard, newest

TOPIC, GROUP = "cx.signals.crm.v1", "cx-crm"
MOST_RECORDS, POLL_MS = 500, 500
_log = logging.getLogger("cx.outbound.crm")


class Record(Protocol):
    """What is read of a Kafka record."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Iterable[tuple[str, bytes]]: ...


def consumer(kafka: Mapping[str, Any]) -> AIOKafkaConsumer:
    """The consumer, not started. It has the topic to itself, so a restart need not wait for a session to end."""
    return AIOKafkaConsumer(
        TOPIC,
        **kafka,
        group_id=GROUP,
        group_instance_id="cx-outbound",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=10_000,
    )


async def listen(
    source: AIOKafkaConsumer,
    connection: AsyncConnection[Any],
    stop: asyncio.Event,
    heard_something: Callable[[], None],
    reached: Callable[[str], None],
) -> None:
    """Take records in until stopped. Raises KafkaError or psycopg.Error; then what was not committed comes again."""
    while not stop.is_set():
        fetched = await source.getmany(timeout_ms=POLL_MS, max_records=MOST_RECORDS)
        if not fetched:
            continue
        readable = [one for records in fetched.values() for record in records if (one := read(record)) is not None]
        reached("before_take")
        if readable and await memory.hear(connection, newest(readable)):
            heard_something()
        reached("after_take")
        reached("before_commit")
        await source.commit()


def read(record: Record) -> Heard | None:
    """What a record says; None when it is not one of the relay's, which is logged without its content."""
    try:
        identity = json.loads(record.key or b"")
        ticket = (str(identity["source_system"]), str(identity["ticket_id"]))
        sequence = dict(record.headers)["ce_sequence"].decode()
        value = None if record.value is None else json.loads(record.value)
        if value is None:
            return Heard(*ticket, sequence)
        if value["churn_risk"] not in RISKS:
            raise ValueError("churn_risk")
        account = value["account_id"] or None
        return Heard(
            *ticket, sequence, account, value["churn_risk"], value["driver"],
            value["evidence_url"], value["idempotency_key"], int(value["version"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        _log.warning("a record of %s is not the relay's and is passed over: %s", TOPIC, type(error).__name__)
        return None
