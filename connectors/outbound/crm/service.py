"""The CRM service: listener and sender side by side, each with a database session, one such pair at a time."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import psycopg
from aiokafka.errors import KafkaError
from psycopg import AsyncConnection

from connectors.outbound.crm import listener, memory
from connectors.outbound.crm.api import Api
from connectors.outbound.crm.configuration import Crm
from connectors.outbound.crm.metrics import Metrics
from connectors.outbound.crm.sender import Sender

RETRY_SECONDS = 5.0
_log = logging.getLogger("cx.outbound.crm")


class _Occupied(Exception):
    """Another process tells the CRM."""


class CrmService:
    """Keeps a CRM's accounts as the signals are, until stopped; outages are waited out."""

    def __init__(
        self,
        warehouse_url: str,
        kafka: Mapping[str, Any],  # the options that every client of aiokafka takes
        crm: Crm,
        metrics: Metrics,
        reached: Callable[[str], None] = lambda place: None,
    ) -> None:
        self._url, self._kafka, self._crm, self._metrics, self._reached = warehouse_url, kafka, crm, metrics, reached

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set."""
        told = ""
        while not stop.is_set():
            try:
                await self._work(stop)
            except (psycopg.Error, KafkaError, OSError, _Occupied) as error:
                said = " ".join(str(error).split()) or type(error).__name__
                if said != told:
                    _log.warning("waiting: %s", said)
                told = said
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), RETRY_SECONDS)

    async def _work(self, stop: asyncio.Event) -> None:
        """Listen and send until stopped, or until either cannot."""
        async with await self._connect() as own, await self._session() as second:
            api, source = Api(self._crm), listener.consumer(self._kafka)
            sender = Sender(self._crm, api, self._metrics, self._reached)
            over = asyncio.Event()
            try:
                await source.start()
                work = [
                    asyncio.create_task(listener.listen(source, own, over, sender.woken.set, self._reached)),
                    asyncio.create_task(sender.run(second, over)),
                ]
                waiting = asyncio.create_task(stop.wait())
                await asyncio.wait({*work, waiting}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                over.set()
                sender.woken.set()
                await _ended(work, 2 * self._crm.timeout_seconds)
            finally:
                await source.stop()
                await api.close()

    async def _session(self) -> AsyncConnection[Any]:
        return await AsyncConnection.connect(
            self._url, autocommit=True, application_name=memory.APPLICATION_NAME, options="-c jit=off", connect_timeout=10
        )

    async def _connect(self) -> AsyncConnection[Any]:
        """A session that holds the lock. Raises _Occupied when another does."""
        connection = await self._session()
        row = await (await connection.execute("select pg_try_advisory_lock(%s)", [memory.LOCK])).fetchone()
        if row and row[0]:
            return connection
        await connection.close()
        raise _Occupied("another process tells the CRM")


async def _ended(work: list[asyncio.Task[None]], seconds: float) -> None:
    """Wait for both; raise what ended the first of them."""
    done, cut_off = await asyncio.wait(work, timeout=seconds)
    for task in cut_off:
        task.cancel()
    for task in done:
        task.result()
