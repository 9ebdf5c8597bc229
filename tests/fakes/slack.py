"""A local server that answers an incoming webhook as Slack does: limits, error bodies, rate limit, and the faults of a network.

Sources: docs.slack.dev, "Sending messages using incoming webhooks", "Blocks", "Rate limits".
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

OK = (200, "ok")
FORBIDDEN = (403, "action_prohibited")
NO_HOOK = (404, "no_active_hooks")
ARCHIVED = (410, "channel_is_archived")
ROLLUP = (500, "rollup_error")
SLOW, LOST, LOST_UNREAD = "slow", "delivered, but the answer is lost", "connection dropped, nothing delivered"


@dataclass
class FakeSlack:
    """The state of the server. `script` holds one fault per coming request; afterwards `always` decides."""

    address: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)  # what the channel shows
    requests: int = 0
    script: list[object] = field(default_factory=list)
    always: object = OK
    slow_seconds: float = 30.0
    per_second: float = 1000.0
    burst: int = 1000
    _tokens: float = 1000.0
    _filled_at: float = 0.0

    def limit(self, per_second: float = 1.0, burst: int = 25) -> None:
        """Turn Slack's rate limit on."""
        self.per_second, self.burst, self._tokens, self._filled_at = per_second, burst, burst, time.monotonic()

    async def hook(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        fault = self.script.pop(0) if self.script else self.always
        if fault == LOST_UNREAD:
            return self._hang_up(request)
        if isinstance(fault, tuple) and fault != OK:
            status, body, *headers = fault
            return web.Response(status=status, text=body, headers=headers[0] if headers else {})
        if not self._has_token():
            return web.Response(status=429, text="rate_limited", headers={"Retry-After": "1"})
        return await self._take(request, fault)

    async def _take(self, request: web.Request, fault: object) -> web.StreamResponse:
        try:
            payload = await request.json()
        except ValueError:
            return web.Response(status=400, text="invalid_payload")
        if problem := refusal(payload):
            return web.Response(status=400, text=problem)
        self.messages.append(payload)
        if fault == SLOW:
            await asyncio.sleep(self.slow_seconds)
        return self._hang_up(request) if fault == LOST else web.Response(text="ok")

    @staticmethod
    def _hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    def _has_token(self) -> bool:
        now = time.monotonic()
        self._tokens = min(float(self.burst), self._tokens + (now - self._filled_at) * self.per_second)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def refusal(payload: Any) -> str | None:
    """The body of Slack's 400 answer, or None when the payload is fine."""
    if not isinstance(payload, dict) or not (payload.get("text") or payload.get("blocks")):
        return "no_text"
    if units(payload.get("text", "")) > 40_000:
        return "invalid_payload"
    blocks = payload.get("blocks", [])
    if len(blocks) > 50 or not all(_is_valid(block) for block in blocks):
        return "invalid_blocks"
    return None


def units(text: str) -> int:
    """Length as JavaScript counts it."""
    return len(text.encode("utf-16-le")) // 2


def texts(payload: dict[str, Any]) -> Iterator[str]:
    """Every text of a payload that Slack would parse for markup and mentions."""
    yield payload.get("text", "")
    for block in payload.get("blocks", []):
        for item in (block.get("text"), *block.get("fields", []), *block.get("elements", [])):
            if item and item.get("type") == "mrkdwn":
                yield item["text"]


def _is_valid(block: dict[str, Any]) -> bool:
    kind = block.get("type")
    if kind == "header":
        return _is_text(block.get("text"), 150, ("plain_text",))
    if kind == "section":
        fields = block.get("fields", [])
        has_text = "text" in block
        return (
            (has_text or bool(fields))
            and (not has_text or _is_text(block["text"], 3000))
            and len(fields) <= 10
            and all(_is_text(item, 2000) for item in fields)
        )
    if kind == "context":
        elements = block.get("elements", [])
        return 1 <= len(elements) <= 10 and all(_is_text(item, 3000) for item in elements)
    if kind == "actions":
        return all(_is_button(item) for item in block.get("elements", [])) and 1 <= len(block["elements"]) <= 25
    return kind == "divider"


def _is_text(item: Any, limit: int, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> bool:
    return isinstance(item, dict) and item.get("type") in kinds and 1 <= units(item.get("text", "")) <= limit


def _is_button(item: dict[str, Any]) -> bool:
    return item.get("type") == "button" and _is_text(item.get("text"), 75, ("plain_text",)) and units(item.get("url", "")) <= 3000


@contextmanager
def running(port: int = 0) -> Iterator[FakeSlack]:
    """A fake Slack on a port of the loopback interface, in a thread of its own."""
    fake, loop, ready, stop = FakeSlack(), asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        app = web.Application(client_max_size=1 << 20)
        app.router.add_post("/services/T000/B000/secret", fake.hook)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        bound = runner.addresses[0][1]
        fake.address = f"http://127.0.0.1:{bound}/services/T000/B000/secret"
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10), "the fake Slack did not start"
    try:
        yield fake
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
