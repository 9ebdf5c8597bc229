"""The notifier's loops: fold the outbox every second, send each channel's letters, reconnect when the warehouse was away.

One connection does all the writing and holds the advisory lock, so whoever lost the lock cannot write either.
Sending waits for nobody else and nobody waits for it: every channel has its own loop, and a post holds no transaction.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import partial
from secrets import token_urlsafe
from typing import Any, Concatenate, ParamSpec, TypeVar

import httpx
import psycopg
from psycopg import Connection

from ops.alerts import deliveries, flag_links, ledger, retry, slack
from ops.alerts.deliveries import Claimed
from ops.alerts.metrics import Metrics
from ops.alerts.render import Envelope, Payload, render, render_plain
from ops.alerts.routes import Routes

LOCK = 0x43584E4F  # "CXNO": one notifier per warehouse
PRUNE_EVERY = 3600

log = logging.getLogger("cx.alerts")
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Setup:
    """What the notifier is told at start. `webhooks` maps channels to addresses; a channel without one is `missing`."""

    warehouse_url: str
    routes: Routes
    webhooks: Mapping[str, str]
    flag_url: str = ""
    flag_secret: str = ""
    zone: tzinfo = UTC
    with_quotes: bool = False
    tick_seconds: float = 1.0
    timeout: httpx.Timeout = field(default_factory=slack.default_timeout)

    @property
    def missing(self) -> dict[str, str]:
        """Channels that cannot be used, with the reason."""
        return {
            name: f"channel {name} has no webhook: {variable} is not set"
            for name, variable in self.routes.channels.items()
            if not self.webhooks.get(name)
        }


class Warehouse:
    """The one connection that writes: opened on demand with the advisory lock, dropped when it fails."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection[Any] | None = None
        self._turn = asyncio.Lock()

    async def run(self, work: Callable[Concatenate[Connection[Any], P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do one piece of work, in a thread, alone on the connection.

        Raises:
            psycopg.Error: the warehouse is away or not migrated yet, or another notifier holds the lock.
        """
        async with self._turn:
            try:
                connection = await asyncio.to_thread(self._open)
                return await asyncio.to_thread(work, connection, *args, **kwargs)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                self.close()
                raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> Connection[Any]:
        if self._connection is None:
            connection = psycopg.connect(self._url, autocommit=True, connect_timeout=5, application_name="cx-alerts")
            if not connection.execute("select pg_try_advisory_lock(%s)", (LOCK,)).fetchall()[0][0]:
                connection.close()
                raise psycopg.OperationalError("another notifier is running on this warehouse; this one stands by")
            deliveries.recover(connection)
            self._connection = connection
        return self._connection


class Notifier:
    """Folds and sends until it is stopped; cancelled in the middle of a post, it gives the letter back."""

    def __init__(self, setup: Setup, metrics: Metrics) -> None:
        self._setup, self._metrics = setup, metrics
        self._warehouse = Warehouse(setup.warehouse_url)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let every loop end after the step it is in."""
        self._stopping.set()

    async def run(self) -> None:
        """Run all loops until `stop`, or until cancelled."""
        async with slack.client(self._setup.timeout) as http:
            try:
                async with asyncio.TaskGroup() as loops:
                    loops.create_task(self._again(self._fold, "folding"))
                    loops.create_task(self._again(self._prune, "pruning", PRUNE_EVERY))
                    for channel, webhook in self._setup.webhooks.items():
                        loops.create_task(self._again(partial(self._send, http, channel, webhook), f"sending to {channel}"))
            finally:
                self._warehouse.close()

    async def _again(self, step: Callable[[], Awaitable[bool]], name: str, seconds: float | None = None) -> None:
        """Repeat a step; at once while it says there is more. A warehouse that is away is said once, and waited for."""
        trouble = ""
        while not self._stopping.is_set():
            try:
                more = await step()
                if trouble:
                    log.info("%s goes on", name)
                trouble = ""
            except psycopg.Error as error:
                more, said = False, " ".join(str(error).split())
                if said != trouble:
                    log.warning("%s waits for the warehouse: %s", name, said)
                trouble = said
            if not more:
                with contextlib.suppress(TimeoutError):
                    pause = self._setup.tick_seconds if trouble or seconds is None else seconds
                    await asyncio.wait_for(self._stopping.wait(), pause)

    async def _fold(self) -> bool:
        more = await self._warehouse.run(ledger.tick, self._setup.routes, self._setup.missing, datetime.now(UTC))
        self._metrics.waiting(len(await self._warehouse.run(ledger.waiting)))
        return more

    async def _prune(self) -> bool:
        await self._warehouse.run(ledger.prune, self._setup.routes.channels)
        return False

    async def _send(self, http: httpx.AsyncClient, channel: str, webhook: str) -> bool:
        claimed = await self._warehouse.run(deliveries.claim, channel, datetime.now(UTC))
        if claimed is None:
            return False
        try:
            answer = await slack.post(http, webhook, self._written(claimed))
        except BaseException:
            await asyncio.shield(self._warehouse.run(deliveries.unsettle, claimed))
            raise
        now = datetime.now(UTC)
        verdict = retry.judge(answer, claimed.failures, claimed.is_plain, random.random(), now)  # noqa: S311  spreads retries
        self._metrics.delivered(verdict.result)
        self._report(claimed, verdict)
        await self._warehouse.run(deliveries.settle, claimed, verdict, now)
        return verdict.result == retry.DELIVERED

    def _written(self, claimed: Claimed) -> Payload:
        if claimed.is_plain:
            return render_plain(claimed.incidents)
        mentions = [
            mention
            for incident in claimed.incidents
            if incident.is_open
            for mention in self._setup.routes.mentions(incident.severity, incident.owner)
        ]
        envelope = Envelope(
            datetime.now(UTC), self._setup.zone, tuple(dict.fromkeys(mentions)), self._flag_links(claimed),
            self._setup.routes.runbook, self._setup.with_quotes, claimed.may_repeat,
        )  # fmt: skip
        return render(claimed.kind, claimed.incidents, envelope)

    def _flag_links(self, claimed: Claimed) -> dict[int, str]:
        url, secret, now = self._setup.flag_url, self._setup.flag_secret, datetime.now(UTC)
        if not url or not secret:
            return {}
        ids = (incident.incident_id for incident in claimed.incidents)
        return {number: flag_links.make(url, secret, number, token_urlsafe(9), now) for number in ids}

    @staticmethod
    def _report(claimed: Claimed, verdict: retry.Verdict) -> None:
        if verdict.result != retry.DELIVERED and claimed.failures == 0:
            said = (claimed.channel, claimed.delivery_id, verdict.result, verdict.reason)
            log.warning("channel %s: letter %d not delivered (%s): %s", *said)
        if verdict.result == retry.DELIVERED and claimed.failures:
            log.info("channel %s answers again after %d failures", claimed.channel, claimed.failures)
