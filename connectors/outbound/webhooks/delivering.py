"""One subscription's loop: claims what is due, posts it, judges the answer, hands the verdict to the settler."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

from connectors.outbound.webhooks import circuit, retry
from connectors.outbound.webhooks.circuit import Circuit
from connectors.outbound.webhooks.messages import Ticket
from connectors.outbound.webhooks.metrics import Metrics
from connectors.outbound.webhooks.posting import Poster
from connectors.outbound.webhooks.queue import Delivery, Queue, Settled, Standing
from connectors.outbound.webhooks.subscriptions import Subscription

LOOK_EVERY_SECONDS = 1.0


class Settler:
    """Writes down verdicts of all subscriptions together: what arrives during one commit goes with the next."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._waiting: asyncio.Queue[tuple[Settled, asyncio.Future[None]]] = asyncio.Queue()

    async def settle(self, settled: Settled) -> None:
        """Return once the verdict is durable."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._waiting.put((settled, done))
        await done

    async def run(self) -> None:
        """Until cancelled. Raises psycopg.Error."""
        while True:
            batch = [await self._waiting.get()]
            while not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            async with self._queue.turn:
                await self._queue.settle([settled for settled, _ in batch])
            for _, done in batch:
                if not done.done():
                    done.set_result(None)


class Sender:
    """Delivers to one subscriber. A slow or failing one occupies its own loop, connections and places only."""

    def __init__(
        self,
        subscription: Subscription,
        standing: Standing,
        *,
        queue: Queue,
        settle: Callable[[Settled], Awaitable[None]],
        metrics: Metrics,
        reached: Callable[[str], None],
    ) -> None:
        self.subscription, self._standing, self._circuit = subscription, standing, standing.circuit
        self._queue, self._settle = queue, settle
        self._metrics, self._reached = metrics, reached
        self._flying: dict[asyncio.Task[None], Ticket] = {}
        self._wake = asyncio.Event()
        self._is_stopping, self._is_gone = False, False
        self._failure: BaseException | None = None

    @property
    def circuit(self) -> Circuit:
        return self._circuit

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    def stop(self) -> None:
        """Begin nothing more; what is in flight may end."""
        self._is_stopping = True
        self._wake.set()

    def see(self, standing: Standing) -> None:
        """Take over what a person changed: paused, resumed, tried at once."""
        if standing.resumed_at != self._standing.resumed_at:
            self._circuit, self._is_gone = Circuit(), False
            self._wake.set()
        self._standing = standing

    async def run(self) -> None:
        """Until stopped and nothing is in flight. Raises psycopg.Error."""
        async with Poster(self.subscription) as poster:
            try:
                while not self._is_stopping or self._flying:
                    if self._failure is not None:
                        raise self._failure
                    self._wake.clear()
                    if not self._is_stopping:
                        await self._begin(poster)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._wake.wait(), LOOK_EVERY_SECONDS)
            finally:
                for task in self._flying:
                    task.cancel()

    async def _begin(self, poster: Poster) -> None:
        """Begin as many due deliveries as there is room for."""
        room = self._circuit.room(datetime.now(UTC), self.subscription.concurrency, len(self._flying))
        if not room or self._is_gone or self._standing.state != "active":
            return
        async with self._queue.turn:
            due = await self._queue.claim(self.subscription.name, room, self._flying.values())
        for delivery in due:
            task = asyncio.create_task(self._deliver(poster, delivery))
            self._flying[task] = delivery.ticket
            task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._flying.pop(task, None)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = error

    async def _deliver(self, poster: Poster, delivery: Delivery) -> None:
        self._reached("before_post")
        begun = time.monotonic()
        answer = await poster.post(delivery.message_id, delivery.body)
        self._reached("after_post")
        now, chance = datetime.now(UTC), random.random()  # noqa: S311 - spreads retries
        budget = self.subscription.give_up_after
        verdict = retry.judge(
            answer, attempts=delivery.attempts + 1, queued_at=delivery.queued_at, give_up_after=budget, chance=chance, now=now
        )
        if verdict.result == retry.DONE:
            self._circuit = circuit.after_success(self._circuit, now)
        elif verdict.result == retry.GONE:
            self._is_gone = True  # at once; the settler writes that it is disabled
        else:
            self._circuit = circuit.after_failure(self._circuit, verdict.rest_until, chance, now)
        await self._settle(Settled(self.subscription.name, delivery, verdict, str(answer), self._circuit))
        self._reached("after_settle")
        age = (now - delivery.queued_at).total_seconds() if verdict.result == retry.DONE else None
        self._metrics.attempted(self.subscription.name, verdict.result, time.monotonic() - begun, age)
