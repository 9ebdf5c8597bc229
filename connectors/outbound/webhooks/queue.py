"""ops.webhook_*: what each subscription is still to be told. One connection writes, and it holds the lock of the sender.

A crash loses nothing: what was queued waits, what was posted and not yet written down is posted again under the same id.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from types import TracebackType
from typing import Any, Self

from psycopg import AsyncConnection
from psycopg.rows import class_row

from connectors.outbound.webhooks import queries
from connectors.outbound.webhooks.circuit import Circuit
from connectors.outbound.webhooks.messages import Message, Queueing, Ticket
from connectors.outbound.webhooks.retry import AGAIN, DEAD, DONE, Verdict

LOCK = 0x43585748  # "CXWH": one sender per warehouse
STATES = {DONE: "delivered", DEAD: "dead"}


class Occupied(Exception):
    """Another sender is at work on this warehouse; this one stands by."""


@dataclass(frozen=True)
class Delivery:
    """A message at the head of its ticket, due now."""

    delivery_id: int
    source_system: str
    ticket_id: str
    message_id: str
    body: bytes
    attempts: int
    queued_at: datetime

    @property
    def ticket(self) -> Ticket:
        return self.source_system, self.ticket_id


@dataclass(frozen=True)
class Settled:
    """One attempt and what it means: for its delivery, and for the subscriber's circuit after it."""

    subscription: str
    delivery: Delivery
    verdict: Verdict
    said: str
    circuit: Circuit


@dataclass(frozen=True)
class Standing:
    """A subscription as the warehouse has it."""

    subscription: str
    state: str
    registered_at: datetime
    resumed_at: datetime
    failures: int
    opened_at: datetime | None
    rest_until: datetime | None
    alerts: list[str]

    @property
    def circuit(self) -> Circuit:
        return Circuit(self.failures, self.opened_at, self.rest_until)


class Queue:
    """Opened by `async with await Queue.open(url)`. Whoever uses it holds `turn`."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self.connection = connection
        self.turn = asyncio.Lock()

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect and take the sender's lock. Raises Occupied, psycopg.Error."""
        connection = await AsyncConnection.connect(
            url, autocommit=True, connect_timeout=10, application_name="cx webhooks", options="-c jit=off"
        )
        row = await (await connection.execute("select pg_try_advisory_lock(%s)", [LOCK])).fetchone()
        if row and row[0]:
            return cls(connection)
        await connection.close()
        raise Occupied("another sender of webhooks is at work on this warehouse; this one stands by")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:  # fmt: skip
        await self.connection.close()

    async def register(self, names: Sequence[str]) -> int:
        """Know exactly these subscriptions. What waits for others is given up, so many; what fires about them is over."""
        async with self.connection.transaction():
            await self.connection.execute(queries.REGISTER, {"names": list(names)})
            given_up = await self.connection.execute(queries.GIVE_UP_UNSUBSCRIBED, {"names": list(names)})
            for statement in queries.UNREGISTER:
                await self.connection.execute(statement, {"names": list(names)})
        return given_up.rowcount

    async def standings(self) -> dict[str, Standing]:
        """Every subscription's state and circuit."""
        async with self.connection.cursor(row_factory=class_row(Standing)) as cursor:
            await cursor.execute(queries.STANDINGS)
            return {row.subscription: row async for row in cursor}

    async def positions(self, topic: str) -> dict[int, int]:
        """The first record of each partition that is not queued yet."""
        rows = await self.connection.execute(queries.POSITIONS, [topic])
        return dict(await rows.fetchall())

    async def heard(self, topic: str, tickets: Iterable[Ticket]) -> dict[Ticket, str]:
        """The greatest sequence that was heard of each of these tickets on a topic."""
        rows = await self.connection.execute(queries.HEARD, (*_columns(set(tickets), 2), topic))
        return {(system, ticket): sequence for system, ticket, sequence in await rows.fetchall()}

    async def hear(self, topic: str, heard: Mapping[Ticket, str]) -> None:
        """Remember the greatest sequences. The caller commits, with what `put` queued of them."""
        if heard:
            rows = [(topic, *ticket, sequence) for ticket, sequence in heard.items()]
            await self.connection.execute(queries.HEAR, _columns(rows, 4))

    async def told(self, subscriptions: Sequence[str], tickets: Iterable[Ticket]) -> frozenset[tuple[str, Ticket]]:
        """Which of these subscriptions hold which of these tickets."""
        systems, ids = _columns(set(tickets), 2)
        rows = await self.connection.execute(queries.TOLD, (systems, ids, list(subscriptions)))
        return frozenset((name, (system, ticket)) for name, system, ticket in await rows.fetchall())

    async def put(self, positions: Mapping[tuple[str, int], int], changes: Sequence[Queueing]) -> None:
        """Queue messages, erase what ended, move the positions on. The caller commits."""
        for change in changes:
            for is_message, steps in groupby(change.steps, lambda step: isinstance(step, Message)):
                if is_message:
                    await self._insert([step for step in steps if isinstance(step, Message)])
                else:
                    await self.connection.execute(queries.ERASE, _columns([s for s in steps if isinstance(s, tuple)], 2))
            for statement, pairs in ((queries.HOLD, change.told), (queries.FORGET, change.forgotten)):
                if pairs:
                    rows = [(name, *ticket) for name, ticket in pairs]
                    await self.connection.execute(statement, _columns(rows, 3))
        await self.connection.execute(queries.MOVE_ON, _columns([(*place, offset) for place, offset in positions.items()], 3))

    async def _insert(self, messages: Sequence[Message]) -> None:
        rows = [(one.subscription, *one.ticket, one.message_id, one.kind, one.idempotency_key, one.body) for one in messages]
        await self.connection.execute(queries.ENQUEUE, _columns(rows, 7))

    async def claim(self, subscription: str, most: int, flying: Iterable[Ticket]) -> list[Delivery]:
        """Due deliveries, at most one per ticket and never one whose ticket is in flight. Nothing is written."""
        systems, ids = _columns(list(flying), 2)
        values = {"subscription": subscription, "systems": systems, "tickets": ids, "most": most}
        async with self.connection.cursor(row_factory=class_row(Delivery)) as cursor:
            await cursor.execute(queries.CLAIM, values)
            return await cursor.fetchall()

    async def settle(self, settled: Sequence[Settled]) -> None:
        """Write down what became of attempts, and how each subscriber's circuit stands after them: one round trip.

        Not waited for on disk: a crash of the warehouse forgets the last ones, and they are posted again under the same id.
        """
        async with self.connection.pipeline(), self.connection.transaction():
            await self.connection.execute("set local synchronous_commit = off")
            ended = [s for s in settled if s.verdict.result in STATES]
            if ended:
                rows = [(s.delivery.delivery_id, STATES[s.verdict.result], s.said) for s in ended]
                await self.connection.execute(queries.FINISH, _columns(rows, 3))
            for one in settled:
                if one.verdict.result not in STATES:
                    await self._postpone(one)
            for name, last in {s.subscription: s for s in settled}.items():
                await self._note(name, last.circuit, [s for s in settled if s.subscription == name])

    async def _postpone(self, one: Settled) -> None:
        values = {
            "delivery_id": one.delivery.delivery_id,
            "subscription": one.subscription,
            "system": one.delivery.source_system,
            "ticket": one.delivery.ticket_id,
            "not_before": one.verdict.not_before,
            "said": one.said,
        }
        await self.connection.execute(queries.COUNT_ATTEMPT, values)
        if one.verdict.result == AGAIN:
            await self.connection.execute(queries.POSTPONE, values)

    async def _note(self, name: str, circuit: Circuit, settled: Sequence[Settled]) -> None:
        failed = [s.said for s in settled if s.verdict.result != DONE]
        values = {
            "subscription": name,
            "failures": circuit.failures,
            "opened_at": circuit.opened_at,
            "rest_until": circuit.rest_until,
            "said": failed[-1] if failed else None,
            "delivered": any(s.verdict.result == DONE for s in settled),
            "gone": any(s.verdict.result not in (AGAIN, *STATES) for s in settled),
        }
        await self.connection.execute(queries.NOTE, values)


def _columns(rows: Sequence[tuple[Any, ...]] | set[Ticket], width: int) -> tuple[list[Any], ...]:
    """Rows as one list per column, for unnest."""
    return tuple([row[place] for row in rows] for place in range(width))
