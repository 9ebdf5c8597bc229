"""Run the services side by side in one process, with one /metrics, until SIGTERM or SIGINT."""

import asyncio
import logging
import signal
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, start_http_server

from ops.outbound.services import Service

GRACE_SECONDS = 20.0  # for what is under way; what is cut off is repeated after the next start
_log = logging.getLogger("cx.outbound")


async def serve(services: Sequence[Service], registry: CollectorRegistry, host: str, port: int) -> bool:
    """Run until a signal asks to stop, or a service fails; False when one failed. Raises OSError when the port is taken."""
    start_http_server(port, host, registry)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    running = {asyncio.ensure_future(one.run(stop)): one.name for one in services}
    waiting = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait({*running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    ended, cut_off = await asyncio.wait(running, timeout=GRACE_SECONDS)
    for task in cut_off:
        task.cancel()
    failures = {running[task]: error for task in ended if (error := task.exception())}
    for name, error in failures.items():
        _log.error("%s failed", name, exc_info=error)
    return not failures and waiting in done
