"""`cx alerts serve`: in one process the notifier's loops, the objectives' sampler, the watch for spikes and the web page."""

import asyncio
import contextlib
import signal

from aiohttp import web

from ops.alerts.metrics import Metrics
from ops.alerts.notifier import Notifier, Setup
from ops.alerts.page import FlagPage, application
from ops.objectives.metrics import Metrics as ObjectiveMetrics
from ops.objectives.sampler import Sampler, keep_sampling
from ops.objectives.sampler import Setup as Objectives
from ops.spikes.watch import Setup as Spikes
from ops.spikes.watch import Watch, keep_watching

GRACE_SECONDS = 3.0  # for a post that is under way; then its letter is given back as a possible repeat


async def serve(setup: Setup, objectives: Objectives, spikes: Spikes, *, host: str, port: int) -> None:
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
        sampler = Sampler(objectives, ObjectiveMetrics(metrics.registry))
        await _until_signal(Notifier(setup, metrics), sampler, objectives, Watch(spikes))
    finally:
        await runner.cleanup()


async def _until_signal(notifier: Notifier, sampler: Sampler, objectives: Objectives, watch: Watch) -> None:
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    running, waiting = asyncio.create_task(notifier.run()), asyncio.create_task(asked.wait())
    sampling = asyncio.create_task(keep_sampling(sampler, objectives.promises.every, asked))
    watching = asyncio.create_task(keep_watching(watch, asked))
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    sampling.cancel()
    watching.cancel()
    notifier.stop()
    await asyncio.wait({running}, timeout=GRACE_SECONDS)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
