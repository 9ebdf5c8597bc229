"""A local HTTP server that takes webhooks as a subscriber does, verifies them with somebody else's code, and misbehaves.

Signatures are verified by the library of the specification's authors (standardwebhooks on PyPI).
"""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

SLOW, LOST, LOST_UNREAD, HANG = "slow", "taken, but the answer is lost", "connection dropped, nothing taken", "hang"


@dataclass(frozen=True)
class Taken:
    """A verified request, in the order of arrival. `at`: this machine's clock."""

    message_id: str
    timestamp: int
    body: dict[str, Any]
    at: float
    path: str


@dataclass
class Subscriber:
    """The state of the server. `script` holds one fault per coming request; afterwards `always` decides (None: 204)."""

    secret: str
    address: str = ""
    taken: list[Taken] = field(default_factory=list)  # what it acted on
    requests: list[str] = field(default_factory=list)  # ids of everything that came, refused requests included
    forged: int = 0
    script: list[object] = field(default_factory=list)
    always: object = None
    slow_seconds: float = 0.5
    most_at_once: int = 0
    _at_once: int = 0

    async def hook(self, request: web.Request) -> web.StreamResponse:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return await self._answer(request)
        finally:
            self._at_once -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self.requests.append(request.headers.get("webhook-id", ""))
        fault = self.script.pop(0) if self.script else self.always
        if fault == HANG:
            await asyncio.sleep(60)
        if fault == LOST_UNREAD:
            return self._hang_up(request)
        if isinstance(fault, tuple):
            status, headers = fault
            return web.Response(status=status, headers=headers)
        try:
            Webhook(self.secret).verify(raw, dict(request.headers))
        except WebhookVerificationError:
            self.forged += 1
            return web.Response(status=401)
        headers = request.headers
        taken = Taken(headers["webhook-id"], int(headers["webhook-timestamp"]), json.loads(raw), time.time(), request.path)
        self.taken.append(taken)
        if fault == SLOW:
            await asyncio.sleep(self.slow_seconds)
        return self._hang_up(request) if fault == LOST else web.Response(status=204)

    @staticmethod
    def _hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    def versions(self, ticket_id: str) -> list[int]:
        """The versions of a ticket in the order they came."""
        data = [taken.body["data"] for taken in self.taken]
        return [one["version"] for one in data if one["ticket_id"] == ticket_id and "version" in one]


@contextmanager
def running(secret: str, port: int = 0) -> Iterator[Subscriber]:
    """A subscriber on a port of the loopback interface, in a thread of its own."""
    fake, loop, ready, stop = Subscriber(secret), asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        app = web.Application(client_max_size=16 << 20)
        app.router.add_post("/{path:.*}", fake.hook)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        fake.address = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10), "the subscriber did not start"
    try:
        yield fake
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
