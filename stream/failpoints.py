"""Places at which a fault test may have the worker killed, as if the machine lost power. Off unless named.

before_warehouse_commit     everything of a batch is written, nothing is committed
after_warehouse_commit      the batch is durable, the dead-letter topic and the offsets do not know yet
before_offset_commit        the batch and its dead letters are durable, the offsets do not know yet
"""

import os
import signal
from collections.abc import Callable

from stream.errors import StopWorker

FAILPOINTS = ("before_warehouse_commit", "after_warehouse_commit", "before_offset_commit")

Reached = Callable[[str], None]


class UnknownFailpointError(StopWorker):
    """CX_FAILPOINT names no place in the list."""


def killer(name: str) -> Reached:
    """A function to call at each place: it kills this process at the named one."""
    if name and name not in FAILPOINTS:
        raise UnknownFailpointError(f"CX_FAILPOINT is {name!r}; the places are {', '.join(FAILPOINTS)}")

    def reached(place: str) -> None:
        if place == name:
            os.kill(os.getpid(), signal.SIGKILL)

    return reached
