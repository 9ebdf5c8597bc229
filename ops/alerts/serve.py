"""`cx alerts serve`: the notifier's loops and its web page in one process, until SIGTERM or SIGINT."""

import asyncio
import contextlib
import signal

from aiohttp import web

from ops.alerts.metrics import Metrics
from ops.alerts.notifier import Notifier, Setup
from ops.alerts.page import FlagPage, application

GRACE_SECONDS = 3.0  # for a post that is under way; then its letter is given back as a possible repeat


async def serve(setup: Setup, host: str, port: int) -> None:
    """Run until a signal asks to stop.

    Raises:
        OSError: the address cannot be listened on.
    """
    metrics = Metrics()
    page = FlagPage(setup.warehouse_url, setup.flag_secret, setup.zone, setup.with_quotes)
    runner = web.AppRunner(application(page, metrics.registry), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        await _until_signal(Notifier(setup, metrics))
    finally:
        await runner.cleanup()


async def _until_signal(notifier: Notifier) -> None:
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    running, waiting = asyncio.create_task(notifier.run()), asyncio.create_task(asked.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    notifier.stop()
    await asyncio.wait({running}, timeout=GRACE_SECONDS)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
