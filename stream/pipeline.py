"""From fetched records to landed records: decode, check the breaker, land, publish dead letters. Retries in place.

An exception that leaves `land` stops the worker; the batch is then read again by the next one (rule 8).
"""

import asyncio
import itertools
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Protocol, TypeVar

from stream.core.accounting import Consumed, Partition, is_fresh
from stream.core.alerts import Alert, breaker_alert, breaker_closed_alert
from stream.core.backoff import backoff_seconds
from stream.core.batch import Batch, divide
from stream.core.breaker import Breaker
from stream.core.decode import decode
from stream.core.drift import DriftPolicy
from stream.core.letters import SIGNALS_TABLE, Letter
from stream.core.outcomes import Outcome
from stream.core.own_store import StoreMapping, translate
from stream.core.reasons import Reason
from stream.core.records import Change, Decoded, Difference, Record, Rejection
from stream.errors import BreakerOpen, DriftStop, Misconfigured, RefusedRecord, Unavailable
from stream.failpoints import Reached

log = logging.getLogger(__name__)
Result = TypeVar("Result")


class Landed(Protocol):
    """What one transaction did."""

    outcomes: dict[int, Outcome]
    consumed: dict[Partition, Consumed]
    new_letters: list[Letter]
    seconds: dict[str, float]


class Lander(Protocol):
    """The warehouse, as the pipeline uses it. Blocking; raises the errors of stream.errors."""

    def land(self, batch: Batch) -> Landed: ...

    def next_offsets(self, batch: Batch) -> dict[Partition, int]: ...

    def raise_drifts(self, differences: Collection[Difference]) -> None: ...

    def breaker_is_open(self) -> bool: ...

    def open_breaker(self, alert: Alert) -> None: ...

    def close_breaker(self, alert: Alert) -> None: ...


class Letterbox(Protocol):
    """Where dead letters go besides the warehouse."""

    async def publish_pending(self) -> None: ...


class Observer(Protocol):
    """Who counts."""

    def landed(
        self, batch: Batch, outcomes: Mapping[int, Outcome], consumed: Mapping[Partition, Consumed], seconds: Mapping[str, float]
    ) -> None: ...

    def took(self, stage: str, seconds: float) -> None: ...

    def retried(self) -> None: ...


class Pipeline:
    """Lands batches one after the other, the blocking parts in a thread of its own."""

    def __init__(
        self, lander: Lander, observer: Observer, policy: DriftPolicy, reached: Reached, *,
        letterbox: Letterbox, let_through: bool = False, mapping: StoreMapping | None = None,
    ) -> None:  # fmt: skip
        self._lander, self._letterbox, self._observer = lander, letterbox, observer
        self._policy, self._reached = policy, reached
        self._let_through, self._mapping = let_through, mapping
        self._breaker: Breaker | None = None
        self._letters_pending = True  # a predecessor may have died between the warehouse and the topic
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="land")
        self.batches = 0
        self.retrying = False

    async def land(self, records: Sequence[Record]) -> None:
        """Return once every effect of these records is durable. Raises the kinds of StopWorker."""
        started = perf_counter()
        decoded = await self._in_thread(lambda: self._decode(records))
        self._observer.took("decode", perf_counter() - started)
        await self._retried(lambda: self._in_thread(lambda: self._land(decoded)))
        self._reached("after_warehouse_commit")
        if self._letters_pending:
            started = perf_counter()
            await self._retried(self._letterbox.publish_pending)
            self._observer.took("publish", perf_counter() - started)
            self._letters_pending = False
        self._reached("before_offset_commit")
        self.batches += 1

    def _decode(self, records: Sequence[Record]) -> list[Decoded]:
        mapping = self._mapping
        ours = [translate(record, mapping) for record in records] if mapping else records
        return [decode(record, self._policy) for record in ours]

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _retried(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """The attempt's result, however long the outside world takes to allow it."""
        for number in itertools.count():
            try:
                result = await attempt()
            except Unavailable as error:
                self.retrying = True
                seconds = backoff_seconds(number, random.random())  # noqa: S311  # jitter, not a secret
                log.warning("%s Attempt %d; the next in %.1f s.", error, number + 1, seconds)
                self._observer.retried()
                await asyncio.sleep(seconds)
            else:
                self.retrying = False
                return result
        raise AssertionError("unreachable")

    def _land(self, decoded: Sequence[Decoded]) -> None:
        """Land a batch; a record the database refuses is found by halving and becomes a dead letter."""
        batch = divide(decoded)
        breaker = self._breaker = self._breaker or Breaker(was_open=self._lander.breaker_is_open())
        rejected = self._check(breaker, batch)
        try:
            landed = self._lander.land(batch)
        except RefusedRecord as error:
            for part in isolated(decoded, str(error)):
                self._land(part)
            return
        self._letters_pending = self._letters_pending or bool(landed.new_letters)
        self._observer.landed(batch, landed.outcomes, landed.consumed, landed.seconds)
        self._remember(breaker, rejected)

    def _check(self, breaker: Breaker, batch: Batch) -> list[bool]:
        """Whether each ticket record was rejected, in order. Raises when the worker must stop instead of landing them."""
        stopping = next((one for _, one in batch.rejections if one.stops), None)
        if stopping is not None:
            self._lander.raise_drifts(batch.differences)
            raise DriftStop(f"The drift policy says stop: {stopping.detail} of {stopping.table} ({stopping.reason}).")
        rejected = ticket_rejections(batch, {})
        if breaker.trips(rejected) and not self._let_through:
            # A replay of old letters is not a flood: only records never read before count.
            rejected = ticket_rejections(batch, self._lander.next_offsets(batch))
            if breaker.trips(rejected):
                alert = breaker_alert(batch)
                self._lander.open_breaker(alert)
                raise BreakerOpen(alert.summary)
        return rejected

    def _remember(self, breaker: Breaker, rejected: Sequence[bool]) -> None:
        """Move the breaker's window over landed records; close it when they are good again."""
        breaker.landed(rejected)
        if breaker.was_open and breaker.is_calm:
            self._lander.close_breaker(breaker_closed_alert())
            breaker.was_open = False


def ticket_rejections(batch: Batch, next_offsets: Mapping[Partition, int]) -> list[bool]:
    """For each record of ticket signals that was never read before, in order: whether it was rejected."""
    flags = {place: False for place, _ in batch.tickets}
    flags.update({place: True for place, one in batch.rejections if one.table == SIGNALS_TABLE})
    return [flags[place] for place in sorted(flags) if is_fresh(batch.records[place], next_offsets)]


def isolated(decoded: Sequence[Decoded], error: str) -> list[list[Decoded]]:
    """Two halves of a refused batch; a single record as a rejection."""
    if len(decoded) > 1:
        half = len(decoded) // 2
        return [list(decoded[:half]), list(decoded[half:])]
    one = decoded[0]
    if not isinstance(one, Change):
        raise Misconfigured(f"The warehouse refuses what is not even a row: {error}")
    return [[Rejection(one.record, one.table, Reason.DATABASE_REFUSED, error, one.identity, one.position)]]
