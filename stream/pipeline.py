"""From fetched records to landed records: decode, land, publish the dead letters, observe, and retry what can be retried."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from stream.core.batch import Batch, divide
from stream.core.decode import decode
from stream.core.drift import DriftPolicy
from stream.core.records import Record


class Lander(Protocol):
    """The warehouse, as the pipeline uses it. Blocking."""

    def land(self, batch: Batch) -> object: ...


class Pipeline:
    """Lands batches one after the other, in a thread of its own."""

    def __init__(self, lander: Lander, policy: DriftPolicy) -> None:
        self._lander = lander
        self._policy = policy
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="land")

    async def land(self, records: Sequence[Record]) -> None:
        """Return once every effect of these records is durable."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._land, records)

    def _land(self, records: Sequence[Record]) -> None:
        self._lander.land(divide([decode(record, self._policy) for record in records]))


Sleep = Callable[[float], Awaitable[None]]
