"""A webhook subscriber in a process of its own: `python -m ops.bench.subscriber FILE SECRET`.

Prints its port once it listens. Verifies every message and appends one JSON array per request to FILE: ticket, version, the
moment of arrival (seconds since 1970, this machine's clock), and whether the signature is right.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import BinaryIO

import msgspec
from aiohttp import web

from connectors.outbound.webhooks import signing


class Subscriber:
    """Takes everything and answers 204 at once."""

    def __init__(self, kept: BinaryIO, key: bytes) -> None:
        self._kept, self._key = kept, key

    async def hook(self, request: web.Request) -> web.Response:
        at, raw = time.time(), await request.read()
        data = msgspec.json.decode(raw)["data"]
        message_id, timestamp = request.headers["webhook-id"], int(request.headers["webhook-timestamp"])
        is_genuine = request.headers["webhook-signature"] == signing.signature(self._key, message_id, timestamp, raw)
        self._kept.write(msgspec.json.encode([data["ticket_id"], data.get("version", 0), at, is_genuine]) + b"\n")
        return web.Response(status=204)


async def serve(kept: BinaryIO, secret: str) -> None:
    """Listen until the process ends."""
    app = web.Application(client_max_size=16 << 20)
    app.router.add_post("/hooks", Subscriber(kept, signing.decode_secret(secret)).hook)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)  # noqa: T201 - whoever started it waits for this
    await asyncio.Event().wait()


if __name__ == "__main__":
    with Path(sys.argv[1]).open("ab", buffering=0) as kept:
        asyncio.run(serve(kept, sys.argv[2]))
