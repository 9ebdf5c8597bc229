"""The composition root of the stream: builds the edges, hands them to the app, runs it until it is told to stop."""

import asyncio
import logging
import signal
import sys
from dataclasses import dataclass
from importlib.resources import files

import yaml

from stream.app import AppSettings, create_app
from stream.core.drift import DriftPolicy, parse_policy
from stream.edges.warehouse.landing import Warehouse
from stream.pipeline import Pipeline


@dataclass(frozen=True)
class WorkerSettings:
    """Everything a worker needs to know."""

    bootstrap: str
    warehouse_url: str
    group: str
    topics: tuple[str, ...]
    run_directory: str
    metrics_port: int = 0
    instance: str | None = None


def run(settings: WorkerSettings) -> None:
    """Run a worker in the foreground until SIGTERM or SIGINT; exit code 1 when it stopped for another reason."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    sys.exit(asyncio.run(_run(settings)))


async def _run(settings: WorkerSettings) -> int:
    policy = read_policy()
    pipeline = Pipeline(Warehouse(settings.warehouse_url, policy), policy)
    app = create_app(
        AppSettings(
            settings.bootstrap, settings.group, settings.topics, f"{settings.run_directory}/faust", instance=settings.instance
        ),
        pipeline,
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await app.start()
    await stop.wait()
    await app.stop()
    return 0


def read_policy() -> DriftPolicy:
    """The drift policy that comes with the package."""
    return parse_policy(yaml.safe_load(files("stream").joinpath("drift_policy.yml").read_text()))
