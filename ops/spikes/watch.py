"""The watch: after every quarter of an hour it judges each driver, tells a spike once, and says when it is over."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg
from psycopg import Connection
from psycopg.types.json import Jsonb

from ops.spikes import reading, words
from ops.spikes.rules import CALM_LOOKS, WINDOWS, Finding, History, Scatter, is_calm, judge, scatter
from ops.spikes.series import DAY, HOUR, begin_of, slot_of

SETTLES = timedelta(minutes=1)  # what occurred at the end of a slot has landed and is published by then
LOOK_EVERY_SECONDS = 20.0
NOBODY = "support-ops"  # owns drivers without an owner

OPEN: LiteralString = "select driver, calm_looks from ops.spikes where over_at is null"
BEGIN: LiteralString = """
insert into ops.spikes (driver, owner, metric, hours, observed, expected, score, window_end)
values (%s, %s, %s, %s, %s, %s, %s, %s)
on conflict (driver) where over_at is null do nothing
returning true
"""
CALM: LiteralString = "update ops.spikes set calm_looks = %s where driver = %s and over_at is null"
END: LiteralString = "update ops.spikes set over_at = clock_timestamp() where driver = %s and over_at is null returning owner"
TELL: LiteralString = """
insert into ops.alert_outbox (fingerprint, state, severity, owner, summary, details)
values (%s, %s, 'warning', %s, %s, %s)
"""

log = logging.getLogger("cx.spikes")


@dataclass(frozen=True)
class Setup:
    """Where marts are read, as a reader of them, and where spikes are written."""

    marts_url: str
    warehouse_url: str


class Watch:
    """Remembers the history of an hour and the scatter of a day; everything else is asked anew."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._looked_at = self._read_at = self._scatter_at = 0
        self._histories: dict[str, History] = {}
        self._scatters: dict[str, Scatter] = {}

    def look(self, now: datetime) -> bool:
        """Judge the window that ends with the newest slot, once; False when it was judged before. Raises psycopg.Error."""
        end = slot_of(now - SETTLES)
        if end <= self._looked_at:
            return False
        with psycopg.connect(self._setup.marts_url, connect_timeout=5, application_name="cx spikes") as marts:
            self._refresh(marts, end)
            arrived = reading.arrivals(marts, end - max(WINDOWS), end)
            findings = {driver: self._findings(driver, arrived.get(driver, []), end) for driver in self._histories}
            owners = reading.owners(marts)
            with psycopg.connect(self._setup.warehouse_url, connect_timeout=5) as warehouse:
                self._tell(marts, warehouse, findings, owners=owners, end=end)
        self._looked_at = end
        return True

    def _refresh(self, marts: Connection[Any], end: int) -> None:
        if end - self._read_at >= HOUR or not self._histories:
            self._histories, self._read_at = reading.histories(marts, end), end
        if end - self._scatter_at >= DAY:
            self._scatters = {driver: scatter(one, end - HOUR) for driver, one in self._histories.items()}
            self._scatter_at = end

    def _findings(self, driver: str, arrived: Sequence[reading.Arrived], end: int) -> list[Finding]:
        history, noise = self._histories[driver], self._scatters.get(driver, Scatter())
        return [
            finding for width in WINDOWS for finding in judge(history, noise, reading.present(arrived, end - width), end, width)
        ]

    def _tell(
        self,
        marts: Connection[Any],
        warehouse: Connection[Any],
        findings: Mapping[str, list[Finding]],
        *,
        owners: Mapping[str, str],
        end: int,
    ) -> None:
        """One transaction: what begins and what is over."""
        is_open = dict(warehouse.execute(OPEN).fetchall())
        for driver, found in findings.items():
            if driver in is_open:
                self._go_on(warehouse, driver, found, is_open[driver])
            elif spikes := [one for one in found if one.is_spike]:
                worst = max(spikes, key=lambda one: one.score)
                rows = reading.evidence(marts, driver, worst, end)
                details = words.details(worst, found, rows, begin_of(end))
                begin(warehouse, driver, owners.get(driver) or NOBODY, worst, details=details, end=begin_of(end))

    @staticmethod
    def _go_on(warehouse: Connection[Any], driver: str, found: Sequence[Finding], calm_looks: int) -> None:
        calm = calm_looks + 1 if is_calm(found) else 0
        if calm < CALM_LOOKS:
            warehouse.execute(CALM, (calm, driver))
            return
        for (owner,) in warehouse.execute(END, [driver]).fetchall():
            warehouse.execute(TELL, (f"spike:{driver}", "ok", owner, words.relief(driver), Jsonb({})))


def begin(
    warehouse: Connection[Any], driver: str, owner: str, finding: Finding, *, details: Mapping[str, Any], end: datetime
) -> None:
    """Write a spike and its alert, unless one of this driver is open."""
    row = (driver, owner, finding.metric, finding.hours, finding.observed, finding.expected, finding.score, end)
    if warehouse.execute(BEGIN, row).fetchone():
        warehouse.execute(TELL, (f"spike:{driver}", "firing", owner, words.alarm(driver, finding), Jsonb(details)))


async def keep_watching(watch: Watch, stopping: asyncio.Event) -> None:
    """Look after every slot, in a thread, until stopped. Nothing that fails here may stop the notifier."""
    trouble = ""
    while not stopping.is_set():
        try:
            await asyncio.to_thread(watch.look, datetime.now(UTC))
            trouble = ""
        except psycopg.errors.UndefinedTable:
            pass  # nothing is published yet
        except psycopg.Error as error:
            said = " ".join(str(error).split())
            if said != trouble:
                log.warning("spikes wait for the warehouse: %s", said)
            trouble = said
        except Exception:
            log.exception("a look for spikes failed")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), LOOK_EVERY_SECONDS)
