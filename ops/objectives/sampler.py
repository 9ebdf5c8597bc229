"""The sampler: on every place of the grid it measures, writes the samples, and tells what burns too fast.

It runs inside the notifier and owns its connections. While the warehouse is away, samples wait in memory.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import Connection

from ops.objectives import lag_alert, measure, outlook, samples, words
from ops.objectives.measure import Sources
from ops.objectives.metrics import Metrics
from ops.objectives.rules import Promises, is_bad, news
from ops.objectives.samples import Sample
from ops.stack import probes

WAITING_SAMPLES = 20_000
START_UP = timedelta(minutes=1)
FORGET_EVERY = timedelta(hours=1)
GRID = datetime(2000, 1, 1, tzinfo=UTC)

log = logging.getLogger("cx.objectives")


@dataclass(frozen=True)
class Setup:
    """What is promised, and where to look."""

    promises: Promises
    sources: Sources


class Sampler:
    """Takes one sample of everything per call."""

    def __init__(self, setup: Setup, metrics: Metrics) -> None:
        self._sources, self._promises, self._metrics = setup.sources, setup.promises, metrics
        self._waiting: deque[Sample] = deque(maxlen=WAITING_SAMPLES)
        self._forgot_at = GRID
        self._started_at: datetime | None = None

    def sample(self, now: datetime) -> None:
        """Measure, write, evaluate and tell. A warehouse that is away keeps the samples waiting."""
        at = on_grid(now, self._promises.every)
        measured = measure.look(self._sources, self._promises.objectives)
        self._metrics.saw(measured, self._sources.consumer_group)
        self._waiting.extend(self._samples(measured.values, at))
        try:
            with psycopg.connect(self._sources.warehouse_url, **probes.CONNECT_OPTIONS) as connection:  # type: ignore[arg-type]
                self._write(connection, at)
            self._waiting.clear()
        except psycopg.Error as error:
            log.warning("samples wait for the warehouse: %s", " ".join(str(error).split()))

    def _samples(self, values: Mapping[str, float | None], at: datetime) -> list[Sample]:
        """What was measured; while everything starts up, a source that does not answer yet is not held against it."""
        self._started_at = self._started_at or at
        is_starting = at - self._started_at < START_UP
        targets = {one.name: one.target for one in self._promises.objectives}
        answered = {name: value for name, value in values.items() if value is not None or not is_starting}
        return [Sample(name, at, value, is_bad(value, targets[name])) for name, value in answered.items()]

    def _write(self, connection: Connection[Any], at: datetime) -> None:
        """One transaction: the samples, and what they give reason to tell."""
        samples.write(connection, self._waiting, self._promises)
        lag_alert.tell(connection, self._promises, self._waiting)
        samples.count_consumed(connection, at, self._promises)
        if at - self._forgot_at >= FORGET_EVERY:
            samples.forget(connection, at, self._promises)
            self._forgot_at = at
        standings = outlook.standings(connection, self._promises, at)
        for one in standings:
            tell(connection, one, at, self._promises.repeat)
        self._metrics.stood(standings, at.timestamp())


def tell(connection: Connection[Any], one: outlook.Standing, now: datetime, repeat: timedelta) -> None:
    """Write to the outbox what is news about an objective, if anything."""
    told = samples.last_told(connection, one.objective.name)
    state = news(one.alert, told, now, repeat)
    if state == "firing" and one.alert is not None:
        details = {
            "remedy": one.objective.remedy,
            "runbook": "objectives",
            "extra": {"budget": words.left(one), "promised": words.promise(one.objective)},
        }
        summary, severity = words.alarm(one, one.alert), one.alert.severity
        samples.tell(connection, one.objective, state=state, severity=severity, summary=summary, details=details)
    elif state == "ok" and told is not None:
        summary = words.relief(one)
        samples.tell(connection, one.objective, state=state, severity=told.severity, summary=summary, details={})


def on_grid(now: datetime, every: timedelta) -> datetime:
    """The newest place of the grid."""
    return now - (now - GRID) % every


async def keep_sampling(sampler: Sampler, every: timedelta, stopping: asyncio.Event) -> None:
    """Sample on every place of the grid, in a thread, until stopped. Nothing that fails here may stop the notifier."""
    while not stopping.is_set():
        try:
            await asyncio.to_thread(sampler.sample, datetime.now(UTC))
        except Exception:
            log.exception("a sample of the objectives failed")
        now = datetime.now(UTC)
        pause = (on_grid(now, every) + every - now).total_seconds()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), pause)
