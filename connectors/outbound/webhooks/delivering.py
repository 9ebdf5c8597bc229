"""One subscription's loop: claims what is due ahead of its need, posts it, judges the answer, hands the verdict to the settler.

A place is free again with the answer; a ticket only once its verdict is durable, so nothing of it overtakes.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime

from connectors.outbound.webhooks import circuit, retry
from connectors.outbound.webhooks.circuit import Circuit
from connectors.outbound.webhooks.messages import Ticket
from connectors.outbound.webhooks.metrics import Metrics
from connectors.outbound.webhooks.posting import Poster
from connectors.outbound.webhooks.queue import Delivery, Queue, Settled, Standing
from connectors.outbound.webhooks.retry import Answer
from connectors.outbound.webhooks.subscriptions import Subscription

LOOK_EVERY_SECONDS = 1.0
CLAIM_EVERY_SECONDS = 0.02  # at most so often, so that answers share a claim
CLAIMED_FOR_SECONDS = 1.0  # then it is asked again: a person may have paused, replayed or erased meanwhile
GATHER_SECONDS = 0.025
AHEAD = 4  # claimed at once, as a multiple of the places
MOST_UNWRITTEN = 256  # in flight or not written down yet, per subscription: what a crash may repeat


class Settler:
    """Writes down verdicts of all subscriptions together: what arrives within some milliseconds, and during a commit."""

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
            await asyncio.sleep(GATHER_SECONDS)
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
        self._ready: deque[Delivery] = deque()
        self._posting = 0
        self._busy: dict[asyncio.Task[None], Ticket] = {}  # until the verdict is durable
        self._claimed_at, self._may_be_more = 0.0, True
        self._wake = asyncio.Event()
        self._is_stopping, self._is_gone = False, False
        self._failure: BaseException | None = None

    @property
    def circuit(self) -> Circuit:
        return self._circuit

    def wake(self) -> None:
        """There may be something to send."""
        self._may_be_more = True
        self._wake.set()

    def forget(self, tickets: Collection[Ticket]) -> None:
        """Of these tickets nothing that was claimed may be sent any more: they were deleted."""
        self._ready = deque(one for one in self._ready if one.ticket not in tickets)
        self._may_be_more = True

    def stop(self) -> None:
        """Begin nothing more; what is in flight may end."""
        self._is_stopping = True
        self._wake.set()

    def see(self, standing: Standing) -> None:
        """Take over what a person changed: paused, resumed, tried at once."""
        if standing.resumed_at != self._standing.resumed_at:
            self._circuit, self._is_gone = Circuit(), False
            self.wake()
        if standing.state != "active":
            self._ready.clear()
        self._standing = standing

    async def run(self) -> None:
        """Until stopped and nothing is in flight. Raises psycopg.Error."""
        async with Poster(self.subscription) as poster:
            try:
                while not self._is_stopping or self._busy:
                    if self._failure is not None:
                        raise self._failure
                    self._wake.clear()
                    pause = LOOK_EVERY_SECONDS if self._is_stopping else await self._send(poster)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._wake.wait(), pause)
            finally:
                for task in self._busy:
                    task.cancel()

    async def _send(self, poster: Poster) -> float:
        """Begin as many due deliveries as there is room for; seconds until the next look, if nothing happens before."""
        if not self._room():
            return LOOK_EVERY_SECONDS
        age = time.monotonic() - self._claimed_at
        is_stale = age >= CLAIMED_FOR_SECONDS
        needs_more = len(self._ready) < self.subscription.concurrency and self._may_be_more
        if is_stale or (needs_more and age >= CLAIM_EVERY_SECONDS):
            await self._claim()
            needs_more = False
        for _ in range(min(self._room(), len(self._ready))):
            self._begin(poster, self._ready.popleft())
        return CLAIM_EVERY_SECONDS if needs_more else LOOK_EVERY_SECONDS

    def _room(self) -> int:
        """How many deliveries may begin now."""
        if self._is_stopping or self._is_gone or self._standing.state != "active":
            return 0
        free = self._circuit.room(datetime.now(UTC), self.subscription.concurrency, self._posting)
        return min(free, MOST_UNWRITTEN - len(self._busy))

    async def _claim(self) -> None:
        """Ask for what is due, the claimed of before included: what became of it meanwhile counts."""
        async with self._queue.turn:
            self._claimed_at, self._may_be_more = time.monotonic(), False
            self._ready.clear()
            most = AHEAD * self.subscription.concurrency
            due = await self._queue.claim(self.subscription.name, most, set(self._busy.values()))
        self._ready.extend(due)
        self._may_be_more |= len(due) >= most

    def _begin(self, poster: Poster, delivery: Delivery) -> None:
        self._posting += 1
        task = asyncio.create_task(self._deliver(poster, delivery))
        self._busy[task] = delivery.ticket
        task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._busy.pop(task, None)
        self.wake()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = error

    async def _post(self, poster: Poster, delivery: Delivery) -> Answer:
        try:
            self._reached("before_post")
            return await poster.post(delivery.message_id, delivery.body)
        finally:
            self._posting -= 1
            self._wake.set()

    async def _deliver(self, poster: Poster, delivery: Delivery) -> None:
        begun = time.monotonic()
        answer = await self._post(poster, delivery)
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
