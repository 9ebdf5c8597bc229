"""The watchdog: a worker whose partitions have records waiting, and that lands none of them, is to be restarted.

A batch that is retried because the warehouse is away is no hang: the worker knows what it waits for and says so.
A blocked event loop cannot watch itself: a thread does.
"""

import os
import threading
from time import monotonic


class Watchdog:
    """Decides from what it is told; the times are seconds of a monotonic clock."""

    def __init__(self, patience_seconds: float, now: float) -> None:
        self._patience_seconds = patience_seconds
        self._since = now
        self._batches = 0

    def is_stuck(self, now: float, *, batches: int, waiting_records: int, retrying: bool) -> bool:
        """Whether records have been waiting for longer than the patience without a batch being landed."""
        if batches != self._batches or waiting_records == 0 or retrying:
            self._batches, self._since = batches, now
        return now - self._since > self._patience_seconds


def end_when_silent(silence_seconds: float) -> "Pulse":
    """Start a thread that ends the process (exit code 1) when the returned pulse is not given for so long."""
    pulse = Pulse()
    threading.Thread(target=pulse.watch, args=(silence_seconds,), daemon=True, name="watchdog").start()
    return pulse


class Pulse:
    """The sign of life of an event loop."""

    def __init__(self) -> None:
        self._last = monotonic()
        self._silent = threading.Event()

    def give(self) -> None:
        """Say that the loop runs."""
        self._last = monotonic()

    def watch(self, silence_seconds: float) -> None:
        """Wait for a silence, then end the process."""
        while not self._silent.wait(silence_seconds / 4):
            if monotonic() - self._last > silence_seconds:
                os.write(2, b"The event loop gave no sign of life for %g s: the worker ends itself.\n" % silence_seconds)
                os._exit(1)  # no farewell: whatever blocks the loop would block that too
