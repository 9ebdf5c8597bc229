"""The webhooks service: reads the topics, sends, sweeps; waits out outages; begins anew when the subscriptions file changes.

stop = asyncio.Event()
await run(Setup(warehouse_url, kafka, topics, subscriptions, fingerprint), Metrics(registry), stop)
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from aiokafka.errors import KafkaError

from connectors.outbound.webhooks import sweep
from connectors.outbound.webhooks.delivering import Sender, Settler
from connectors.outbound.webhooks.messages import Horizon, Ticket
from connectors.outbound.webhooks.metrics import Metrics
from connectors.outbound.webhooks.queue import Occupied, Queue
from connectors.outbound.webhooks.reading import Reader, remembered_since
from connectors.outbound.webhooks.subscription_file import SubscriptionsError
from connectors.outbound.webhooks.subscriptions import Subscription

LOOK_SECONDS = 1.0
SWEEP_EVERY, PRUNE_EVERY = timedelta(seconds=5), timedelta(hours=1)
GRACE_SECONDS = 5.0
RETRIES = (0.5, 1.0, 2.0, 5.0)
PLACES = ("before_queue_commit", "after_queue_commit", "before_post", "after_post", "after_settle")

log = logging.getLogger("cx.webhooks")


@dataclass(frozen=True)
class Setup:
    """What the service is told.

    Attributes:
        topics: the topic of each projection by its short name.
        subscriptions: reads the file; raises SubscriptionsError.
        fingerprint: of the file, cheap to ask; another one means that it changed.
        reached: called at each of PLACES, where a fault test may kill the process.
    """

    warehouse_url: str
    kafka: Mapping[str, Any]  # the options that every client of aiokafka takes
    topics: Mapping[str, str]
    subscriptions: Callable[[], Sequence[Subscription]]
    fingerprint: Callable[[], str] = lambda: ""
    reached: Callable[[str], None] = lambda place: None
    sweep_every: timedelta = SWEEP_EVERY


async def run(setup: Setup, metrics: Metrics, stop: asyncio.Event) -> None:
    """Work until `stop` is set. Outages are said once and waited out; a file that cannot be used is waited for."""
    failures, said, standing = 0, "", None
    while not stop.is_set():
        fingerprint = setup.fingerprint()
        try:
            # With a file that cannot be read, what was read before goes on.
            standing = _read(setup, standing)
            if standing is None:
                await _until_changed(setup, fingerprint, stop)
            else:
                async with await Queue.open(setup.warehouse_url) as queue:
                    failures, said = 0, ""
                    await _Session(setup, queue, standing, metrics, fingerprint).run(stop)
        except (psycopg.Error, KafkaError, OSError, Occupied) as error:
            sentence = " ".join(str(error).split()) or type(error).__name__
            if sentence != said:
                log.warning("webhooks wait: %s", sentence)
            said = sentence
            await _sleep(stop, RETRIES[min(failures, len(RETRIES) - 1)])
            failures += 1


def _read(setup: Setup, before: Sequence[Subscription] | None) -> Sequence[Subscription] | None:
    try:
        return setup.subscriptions()
    except SubscriptionsError as error:
        log.error("%s%s", error, "; the subscriptions read before go on" if before else "; nothing is sent until it is mended")
        return before


async def _until_changed(setup: Setup, fingerprint: str, stop: asyncio.Event) -> None:
    while not stop.is_set() and setup.fingerprint() == fingerprint:
        await _sleep(stop, LOOK_SECONDS)


class _Session:
    """One connection to the warehouse, one set of subscriptions; an empty set ends what was queued, and forgets in time."""

    def __init__(
        self, setup: Setup, queue: Queue, subscriptions: Sequence[Subscription], metrics: Metrics, fingerprint: str
    ) -> None:  # fmt: skip
        self._setup, self._queue, self._subscriptions = setup, queue, subscriptions
        self._metrics, self._fingerprint = metrics, fingerprint
        self._senders: dict[str, Sender] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`, a changed file, or a failure, which is raised. In flight may end within a grace."""
        settler = Settler(self._queue)
        horizon = await self._begin(settler)
        sending = [asyncio.create_task(sender.run()) for sender in self._senders.values()]
        others = [asyncio.create_task(one) for one in (settler.run(), self._look(stop))]
        if self._subscriptions:
            others.append(asyncio.create_task(self._reader(horizon).run(self._setup.kafka)))
        try:
            await asyncio.wait([*others, *sending], return_when=asyncio.FIRST_COMPLETED)
            await self._let_end(sending, others)
        finally:
            await _cancel([*sending, *others])
        for task in [*others, *sending]:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    def _reader(self, horizon: Horizon) -> Reader:
        return Reader(
            self._queue,
            self._subscriptions,
            self._setup.topics,
            horizon=horizon,
            metrics=self._metrics,
            queued=self._wake,
            reached=self._setup.reached,
        )

    async def _begin(self, settler: Settler) -> Horizon:
        names = [one.name for one in self._subscriptions]
        if given_up := await self._queue.register(names):
            log.warning("%d messages of subscriptions that are no longer in the file were given up", given_up)
        standings = await self._queue.standings()
        for one in self._subscriptions:
            self._senders[one.name] = Sender(
                one,
                standings[one.name],
                queue=self._queue,
                settle=settler.settle,
                metrics=self._metrics,
                reached=self._setup.reached,
            )
        since = {name: standings[name].registered_at for name in names}
        return Horizon(since, remembered_since(datetime.now(UTC)))

    def _wake(self, names: set[str], deleted: set[Ticket]) -> None:
        if deleted:
            for sender in self._senders.values():
                sender.forget(deleted)
        for name in names:
            self._senders[name].wake()

    async def _look(self, stop: asyncio.Event) -> None:
        """See what people changed, tell what is news, forget what is done; return when this session is over."""
        swept = pruned = datetime.min.replace(tzinfo=UTC)
        while not stop.is_set() and self._setup.fingerprint() == self._fingerprint:
            now = datetime.now(UTC)
            async with self._queue.turn:
                for name, standing in (await self._queue.standings()).items():
                    if name in self._senders:
                        self._senders[name].see(standing)
                if now - swept >= self._setup.sweep_every:
                    await self._sweep(now)
                    swept = now
                if now - pruned >= PRUNE_EVERY:
                    await sweep.prune(self._queue, self._subscriptions, now)
                    pruned = now
            await _sleep(stop, LOOK_SECONDS)

    async def _sweep(self, now: datetime) -> None:
        await sweep.give_up(self._queue, self._subscriptions, now)
        seen = await sweep.look(self._queue, self._subscriptions, now)
        is_open = {name: sender.circuit.opened_at is not None for name, sender in self._senders.items()}
        self._metrics.stands({one.subscription: one.waiting for one in seen}, is_open)

    async def _let_end(self, sending: Sequence[asyncio.Task[None]], others: Sequence[asyncio.Task[None]]) -> None:
        """What is in flight may be answered, unless something failed that it would need."""
        if any(task.done() and not task.cancelled() and task.exception() for task in [*sending, *others]):
            return
        for sender in self._senders.values():
            sender.stop()
        if sending:
            await asyncio.wait(sending, timeout=GRACE_SECONDS)


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
