"""The relay: from landing to the outbound topics, one at a time, every change once acknowledged before it is written off.

Landing is the outbox: its rows name the transaction that wrote them, so what the relay has not carried out is exactly what
its snapshot has not seen. Places named by `reached` are those at which a fault test may kill the process.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from connectors.outbound.contract.projection import Projection
from connectors.outbound.relay import pace, progress, queries
from connectors.outbound.relay.events import columns_of, outgoing
from connectors.outbound.relay.metrics import Metrics
from connectors.outbound.relay.progress import Progress
from connectors.outbound.relay.snapshots import snapshot
from connectors.outbound.relay.topics import NotSent, Topics

LOCK = 5_270_114  # any constant; it only has to be ours within the warehouse
PART_ROWS = 1_000  # of each table; bounds the memory of a backlog
ALERT_AFTER_FAILURES = 5
APPLICATION_NAME = "cx outbound relay"
_log = logging.getLogger("cx.outbound.relay")


class _Occupied(Exception):
    """Another relay is at work."""


class Relay:
    """Carries landing to the topics until stopped; outages are waited out."""

    def __init__(
        self,
        warehouse_url: str,
        topics: Topics,
        projections: Sequence[Projection],
        metrics: Metrics,
        reached: Callable[[str], None] = lambda place: None,
    ) -> None:
        self._url, self._topics, self._projections = warehouse_url, topics, projections
        self._columns = columns_of(projections)
        self._metrics, self._reached = metrics, reached
        self._failures = 0  # in a row

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set."""
        while not stop.is_set():
            try:
                async with await self.connect() as connection:
                    await self._carry(connection, stop)
            except (psycopg.Error, _Occupied, OSError) as error:
                await _sleep(stop, self._failed(error))
        await self._topics.stop()

    def _failed(self, error: Exception) -> float:
        """Count a failure, say so once, and give the seconds to wait."""
        self._failures += 1
        self._metrics.failed()
        if self._failures == 1:
            _log.warning("waiting: %s", " ".join(str(error).split()))
        return pace.retry(self._failures)

    async def connect(self) -> AsyncConnection[Any]:
        """A session that holds the relay's lock: losing one loses the other."""
        options = "-c TimeZone=UTC -c synchronous_commit=off -c jit=off"  # progress that is lost repeats records only
        connection = await AsyncConnection.connect(
            self._url, autocommit=True, application_name=APPLICATION_NAME, options=options, connect_timeout=10
        )
        row = await (await connection.execute("select pg_try_advisory_lock(%s)", [LOCK])).fetchone()
        if row and row[0]:
            return connection
        await connection.close()
        raise _Occupied("another relay is at work")

    async def _carry(self, connection: AsyncConnection[Any], stop: asyncio.Event) -> None:
        done, wait = await progress.read(connection), pace.SHORTEST
        while not stop.is_set():
            try:
                done, found = await self.step(connection, done)
            except NotSent as error:
                await _sleep(stop, self._failed(error))
                if self._failures == ALERT_AFTER_FAILURES:
                    await progress.alert(connection, "firing", "The outbound topics are told nothing: Kafka takes no records.")
                continue
            if self._failures >= ALERT_AFTER_FAILURES:
                await progress.alert(connection, "ok", "The outbound topics are told again.")
            self._failures = 0
            wait = pace.wait(wait, found)
            if not (done.filling or done.until):
                await _sleep(stop, wait)

    async def step(self, connection: AsyncConnection[Any], done: Progress) -> tuple[Progress, bool]:
        """Carry one part, and say whether there was any. Raises NotSent or psycopg.Error; then the part is carried again."""
        if done.filling:
            return await self._fill(connection, done), True
        now, epoch, found = await self._look(connection, done)
        if epoch != done.epoch:
            return await progress.read(connection), True
        if found or done.until:
            return await self._next_part(connection, done, now), True
        return done, False

    async def _look(self, connection: AsyncConnection[Any], done: Progress) -> tuple[str, int, bool]:
        row = await (await connection.execute(queries.anything_unseen(done.seen).encode())).fetchone()
        assert row is not None  # noqa: S101 - a select without a from has one row
        now, epoch, found = row
        return now, epoch, found

    async def _next_part(self, connection: AsyncConnection[Any], done: Progress, now: str) -> Progress:
        """Send the next part of the window and write it off."""
        window = done.window(snapshot(now))
        row = await (await connection.execute(queries.part_bound(window, PART_ROWS).encode())).fetchone()
        bound = int(row[0]) if row and row[0] else None
        rows = await _rows(connection, queries.window_rows(replace(window, through=bound), self._columns))
        under_way = replace(done, until=window.until, through=bound or 0)
        after = Progress(done.epoch, window.until) if bound is None else under_way
        return await self._send(connection, rows, after, is_filling=False)

    async def _fill(self, connection: AsyncConnection[Any], done: Progress) -> Progress:
        """Send the next page of what there was before the relay, and write it off."""
        ask = queries.filling_deleted if done.filling == "deleted" else queries.filling_tickets
        told = dict(zip(("source_system", "ticket_id"), done.filled, strict=True))
        rows = await _rows(connection, ask(done.seen, self._columns, PART_ROWS), told)
        if len(rows) == PART_ROWS:
            after = replace(done, filled=(rows[-1]["source_system"], rows[-1]["ticket_id"]))
        elif done.filling == "deleted":
            after = replace(done, filling="tickets", filled=("", ""))
        else:
            after = Progress(done.epoch, done.seen)
        return await self._send(connection, rows, after, is_filling=True)

    async def _send(
        self, connection: AsyncConnection[Any], rows: Sequence[dict[str, Any]], after: Progress, is_filling: bool
    ) -> Progress:
        self._reached("before_send")
        sent = await self._topics.send(
            record for row in rows for record in outgoing(row, self._projections, after.epoch, is_filling)
        )
        self._reached("after_send")
        kept = await progress.keep(connection, after, len(rows))
        self._reached("after_progress")
        self._metrics.sent(rows, sent)
        return after if kept else await progress.read(connection)


async def _rows(
    connection: AsyncConnection[Any], query: str, parameters: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query.encode(), parameters)
        return await cursor.fetchall()


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
