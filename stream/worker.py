"""The composition root of the stream: builds the edges, hands them to the app, runs it until it is told to stop."""

import asyncio
import gc
import logging
import signal
import warnings
from asyncio import Event, Future
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg
import yaml
from aiokafka.errors import KafkaConnectionError
from faust.exceptions import AlreadyConfiguredWarning

from stream.app import AppSettings, StreamApp, create_app
from stream.core.drift import Action, DriftPolicy, parse_policy
from stream.core.own_store import StoreMapping
from stream.edges.dead_letter_topic import DeadLetterTopic
from stream.edges.metrics import Metrics
from stream.edges.store import store_differences
from stream.edges.warehouse.landing import Warehouse
from stream.errors import DriftStop, Misconfigured, StopWorker, Unavailable
from stream.failpoints import failing
from stream.kafka import KafkaAccess, refusal
from stream.letterbox import Letterbox
from stream.pipeline import Pipeline
from stream.watchdog import Watchdog, end_when_silent

STOPPED, FAILED, MISCONFIGURED = 0, 1, 2
DRAIN_SECONDS = 20.0  # a batch in flight may take so long to finish after SIGTERM
LAG_EVERY_SECONDS = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerSettings:
    """Everything a worker needs to know."""

    kafka: KafkaAccess
    warehouse_url: str
    group: str
    topics: tuple[str, ...]
    run_directory: str
    store_url: str = ""  # empty: the store's columns are compared with the contract by the events alone
    metrics_port: int = 0
    metrics_bind: str = "127.0.0.1"
    instance: str | None = None
    let_through: bool = False
    failpoint: str = ""
    mapping: StoreMapping | None = None  # of a store with names of its own
    patience_seconds: float = 120.0  # records may wait so long without a batch being landed, the event loop half of it


def run(settings: WorkerSettings) -> int:
    """Run a worker in the foreground; returns 0 after SIGTERM or SIGINT, 2 when no retry can help, else 1."""
    gc.set_threshold(50_000, 20, 100)  # a batch makes many long-lived objects and no cycles: rare, cheap collections
    try:
        return asyncio.run(Worker(settings).run())
    except StopWorker as error:
        log.error("%s", error)
        return code_of(error)


def code_of(error: BaseException | None) -> int:
    """The exit code of a worker that ends for this reason."""
    return MISCONFIGURED if isinstance(error, Misconfigured) else FAILED


class Worker:
    """One worker process."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        policy, reached = read_policy(), failing(settings.failpoint)
        self._warehouse = Warehouse(settings.warehouse_url, policy, reached)
        self._topic = DeadLetterTopic(settings.kafka)
        self._metrics = Metrics()
        self._policy = policy
        self._pipeline = Pipeline(
            self._warehouse, self._metrics, policy, reached, letterbox=Letterbox(self._warehouse, self._topic),
            let_through=settings.let_through, mapping=settings.mapping,
        )  # fmt: skip

    async def run(self) -> int:
        """Read and land until told to stop."""
        await self._check_access()
        self._check_store()
        self._stop, self._failure = Event(), Future[None]()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        port = self._serve_metrics()
        log.info("metrics on http://%s:%d/metrics", self._settings.metrics_bind, port)
        Path(self._settings.run_directory).mkdir(parents=True, exist_ok=True)
        app = create_app(self._app_settings(), self._pipeline, self._fail)
        try:
            await app.start()
        except KafkaConnectionError as error:
            raise StopWorker(f"Kafka cannot be reached at {self._settings.kafka}: check that it runs. ({error})") from error
        watch: Future[None] = asyncio.create_task(self._watch(app))
        stop: Future[Any] = asyncio.create_task(self._stop.wait())
        await asyncio.wait([stop, watch, self._failure], return_when=asyncio.FIRST_COMPLETED)
        stopped = self._stop.is_set()
        failure = self._failure.exception() if self._failure.done() else None
        if failure:
            log.error("%s", failure)
        watch.cancel()
        await self._end(app, drain=stopped)
        return STOPPED if stopped else code_of(failure)

    def _app_settings(self) -> AppSettings:
        known = self._settings
        return AppSettings(known.kafka, known.group, known.topics, f"{known.run_directory}/faust", instance=known.instance)

    def _fail(self, error: BaseException) -> None:
        if not self._failure.done():
            self._failure.set_exception(error)

    async def _check_access(self) -> None:
        """Knock at Kafka and the warehouse: who is refused ends at once with the reason, who finds nobody waits for them."""
        if refused := await refusal(self._settings.kafka):
            raise Misconfigured(refused)
        with suppress(Unavailable):
            self._warehouse.breaker_is_open()

    def _serve_metrics(self) -> int:
        port = self._settings.metrics_port
        try:
            return self._metrics.serve(port, self._settings.metrics_bind)
        except OSError as error:
            raise Misconfigured(f"No /metrics on port {port}: {error.strerror}; set CX_WORKER_METRICS_PORT.") from error

    def _check_store(self) -> None:
        """Compare the store's columns with the contract before anything is read."""
        if not self._settings.store_url:
            return
        try:
            differences = store_differences(self._settings.store_url, self._settings.mapping)
            self._warehouse.raise_drifts(differences)
        except (psycopg.Error, Unavailable) as error:
            log.warning("The store's columns cannot be compared with the contract now; the events will be: %s", error)
            return
        stopping = [difference for difference in differences if self._policy.action(difference) == Action.STOP]
        if stopping:
            raise DriftStop(f"The drift policy says stop: {', '.join(map(str, stopping))}")

    async def _watch(self, app: StreamApp) -> None:
        """Return when the app crashed or hangs; show the lag meanwhile."""
        pulse = end_when_silent(self._settings.patience_seconds / 2)
        watchdog = Watchdog(self._settings.patience_seconds, monotonic())
        while not app.crashed:
            pulse.give()
            try:
                waiting = await asyncio.wait_for(app.consumer.waiting(), LAG_EVERY_SECONDS * 2)
            except Exception as error:  # noqa: BLE001  # no answer is no sign of a hang: the broker may be away
                log.debug("Kafka does not tell the lag now: %r", error)
            else:
                self._metrics.lag({(tp.topic, tp.partition): records for tp, records in waiting.items()})
                total = sum(waiting.values()) + app.busy.locked()
                if watchdog.is_stuck(
                    monotonic(), batches=self._pipeline.batches, waiting_records=total, retrying=self._pipeline.retrying
                ):
                    log.error("%d records wait and nothing was landed for %g s", total, self._settings.patience_seconds)
                    return
            await asyncio.sleep(LAG_EVERY_SECONDS)
        log.error("the consumer crashed: %r", app.crash_reason)

    async def _end(self, app: StreamApp, drain: bool) -> None:
        """Finish the batch in flight and commit its offsets, when asked to; then leave the group."""
        with suppress(TimeoutError):
            if drain:
                await asyncio.wait_for(app.busy.acquire(), DRAIN_SECONDS)
                await asyncio.wait_for(app.consumer.commit(), DRAIN_SECONDS)
        with warnings.catch_warnings(action="ignore", category=AlreadyConfiguredWarning):
            app.conf.stream_wait_empty = False  # what is still in flight now will be read again
        with suppress(TimeoutError):
            await asyncio.wait_for(app.stop(), DRAIN_SECONDS)
        await self._topic.stop()
        self._warehouse.close()


def read_policy() -> DriftPolicy:
    """The drift policy that comes with the package."""
    return parse_policy(yaml.safe_load(files("stream").joinpath("drift_policy.yml").read_text()))
