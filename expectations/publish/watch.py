"""The resident publisher: asks at every tick whether anything is new, and runs a cycle when there is a reason."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import psycopg
from psycopg import Connection

from expectations.policy import PolicyError, Timing
from expectations.publish.cycle import Cycle, Outcome, note_failure
from expectations.publish.lock import Occupied
from expectations.publish.transaction import LANDING
from expectations.publish.wake import Situation, backoff, reason_to_run, recycles, seconds_to_next_tick
from expectations.window import newer_than


class Resident(Protocol):
    """What the loop asks of the parts it keeps alive."""

    def connect(self) -> Connection: ...
    def cycle(self, connection: Connection) -> Cycle: ...
    def files_changed(self) -> bool: ...
    def timing(self) -> Timing: ...


def anything_new(connection: Connection, seen: str) -> bool:
    """Whether a landing table has a committed row that the snapshot `seen` does not see. Asks indexes only."""
    exists = " or ".join(f"exists (select from landing.{name} as landed where {newer_than(seen, 'landed')})" for name in LANDING)
    row = connection.execute(f"select {exists}".encode()).fetchone()
    return bool(row and row[0])


def resident_megabytes() -> float:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


class Watch:
    """The loop's memory between ticks."""

    def __init__(
        self, resident: Resident, every_seconds: float, tell: Callable[[Outcome, str], None], say: Callable[[str], None]
    ) -> None:
        self._resident, self._every, self._tell, self._say = resident, every_seconds, tell, say
        self._connection: Connection | None = None
        self._cycle: Cycle | None = None
        self._last: Outcome | None = None
        self._ended = time.monotonic()
        self._errors = 0
        self._failures_to_connect = 0
        self._cycles = 0
        self._untold = ""
        self._timing = Timing()

    def run(self, stop: threading.Event) -> bool:
        """Tick until stopped; True asks the caller to start the process afresh. Raises Refused: no waiting helps."""
        started = time.monotonic()
        recycle = False
        while not stop.is_set() and not recycle:
            recycle = self._tick()
            wait = seconds_to_next_tick(time.monotonic(), started, self._every)
            stop.wait(max(wait, backoff(self._failures_to_connect, self._timing)) if self._failures_to_connect else wait)
        if self._connection:
            self._connection.close()
        return recycle and not stop.is_set()

    def _tick(self) -> bool:
        """One look, one cycle at most."""
        try:
            connection = self._connected()
            reason = reason_to_run(self._situation(connection), self._timing)
            if reason:
                self._work(reason)
        except Occupied as error:
            self._lose(str(error))
        except psycopg.Error as error:
            self._untold = " ".join(str(error).split())
            self._lose(self._untold)
        return recycles(self._cycles, resident_megabytes(), self._timing)

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.broken or self._connection.closed:
            self._connection = self._resident.connect()
            self._cycle = self._resident.cycle(self._connection)
            if self._failures_to_connect:
                self._say("connected again")
            self._failures_to_connect = 0
            self._confess(self._connection)
        return self._connection

    def _confess(self, connection: Connection) -> None:
        """Tell of the failure that could not be told while the warehouse was away."""
        if self._untold:
            note_failure(connection, self._untold, timedelta(seconds=self._timing.repeat_alert_seconds))
            self._untold = ""

    def _lose(self, reason: str) -> None:
        """Remember that the warehouse is out of reach, and say so once."""
        if self._failures_to_connect == 0:
            self._say(f"waiting: {reason}")
        self._failures_to_connect += 1
        if self._connection:
            self._connection.close()
        self._connection = None

    def _situation(self, connection: Connection) -> Situation:
        self._reload_timing()
        seen = self._last.seen if self._last else None
        return Situation(
            last_result=self._last.result if self._last else None,
            seconds_since_cycle=time.monotonic() - self._ended,
            errors_in_a_row=self._errors,
            anything_new=seen is None or anything_new(connection, seen),
            files_changed=self._resident.files_changed(),
        )

    def _reload_timing(self) -> None:
        """The policy's timing; a policy that cannot be read is the next cycle's error, not the loop's."""
        try:
            self._timing = self._resident.timing()
        except PolicyError:
            return

    def _work(self, reason: str) -> None:
        assert self._cycle is not None  # noqa: S101 - made with the connection
        outcome = self._cycle.run()
        self._last, self._ended, self._cycles = outcome, time.monotonic(), self._cycles + 1
        self._errors = self._errors + 1 if outcome.result == "error" else 0
        if outcome.result == "error" and self._connection and self._connection.broken:
            self._untold = outcome.message
        self._tell(outcome, reason)
