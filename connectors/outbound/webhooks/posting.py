"""One subscriber's HTTP edge: posts signed messages to addresses that may be called, and says what came of each.

Every address is judged where its socket is made, so a name that resolves to something else the second time gains nothing.
Redirects are not followed, proxies of the environment not used, bodies of answers read only to keep the connection.
"""

import asyncio
import socket
import time
from collections.abc import Sequence
from typing import Any

import aiohttp

from connectors.outbound.webhooks import addresses, signing
from connectors.outbound.webhooks.retry import Answer
from connectors.outbound.webhooks.subscriptions import Subscription

CONNECT_SECONDS = 5.0
READ_BYTES = 4096
AGENT = "CX-Signals-Webhooks/1"


class ForbiddenAddress(OSError):
    """The address is not one that webhooks may be sent to."""


class Poster:
    """Posts for one subscription over connections of its own. Use as an async context."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Poster":
        one = self._subscription
        timeout = aiohttp.ClientTimeout(total=one.timeout_seconds, sock_connect=CONNECT_SECONDS)
        connector = aiohttp.TCPConnector(limit=one.concurrency, socket_factory=self._socket, ttl_dns_cache=10)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, message_id: str, body: bytes) -> Answer:
        """Post once. Never raises for what the network or the subscriber does."""
        assert self._session is not None  # noqa: S101 - used inside its context
        signed = signing.headers(self._subscription.keys, message_id, int(time.time()), body)
        headers = {**signed, "content-type": "application/json", "user-agent": AGENT}
        try:
            async with self._session.post(self._subscription.url, data=body, headers=headers, allow_redirects=False) as response:
                answer = Answer(response.status, _reason(response.status), response.headers.get("retry-after"))
                await _drain(response)
                return answer
        except TimeoutError:
            return Answer(0, f"no answer within {self._subscription.timeout_seconds:g} s")
        except aiohttp.ClientConnectorError as error:
            return Answer(0, str(error.os_error) or "cannot connect")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(0, f"the connection broke: {type(error).__name__}")

    def _socket(self, info: Sequence[Any]) -> socket.socket:
        family, kind, protocol, _, place = info
        reason = addresses.refusal(place[0], self._subscription.allow_networks)
        if not reason and self._subscription.url.startswith("http:"):
            # Unencrypted only where the subscription says so, whatever the name resolves to.
            reason = addresses.unnamed(place[0], self._subscription.allow_networks)
        if reason:
            raise ForbiddenAddress(f"{place[0]} is {reason}; if it is meant, name its network in allow_networks")
        return socket.socket(family, kind, protocol)


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read a short body, so that the connection can be used again; what comes of it no longer matters."""
    if response.content.at_eof():
        return
    try:
        await asyncio.wait_for(response.content.read(READ_BYTES), 1.0)
    except (TimeoutError, aiohttp.ClientError, OSError):
        response.close()


def _reason(status: int) -> str:
    if 300 <= status < 400:
        return "a redirect, which is not followed"
    return {401: "not authorised", 404: "not found", 410: "gone", 429: "too many requests"}.get(status, "")
