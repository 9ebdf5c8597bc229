"""Places at which a fault test may have the worker killed, as if the machine lost power, or hang. Off unless named.

before_warehouse_commit     everything of a batch is written, nothing is committed
after_warehouse_commit      the batch is durable, the dead-letter topic and the offsets do not know yet
before_offset_commit        the batch and its dead letters are durable, the offsets do not know yet

`hang_<place>` blocks for ever instead of killing: the landing thread at the first place, the event loop at the others.
"""

import os
import signal
import threading
from collections.abc import Callable

from stream.errors import StopWorker

PLACES = ("before_warehouse_commit", "after_warehouse_commit", "before_offset_commit")
HANG = "hang_"
FAILPOINTS = (*PLACES, *(HANG + place for place in PLACES))

Reached = Callable[[str], None]


class UnknownFailpointError(StopWorker):
    """CX_FAILPOINT names no place in the list."""


def failing(name: str) -> Reached:
    """A function to call at each place: at the named one it kills this process, or blocks the calling thread for ever."""
    if name and name not in FAILPOINTS:
        raise UnknownFailpointError(f"CX_FAILPOINT is {name!r}; the places are {', '.join(FAILPOINTS)}")

    def reached(place: str) -> None:
        if place == name:
            os.kill(os.getpid(), signal.SIGKILL)
        if HANG + place == name:
            threading.Event().wait()

    return reached
