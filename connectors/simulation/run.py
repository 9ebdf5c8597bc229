"""The loop: at each tick, choose what is due and write it."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from connectors.simulation import pace
from connectors.simulation.actions import Action
from connectors.simulation.world import World


class Writes(Protocol):
    """Where actions go."""

    def write(self, actions: list[Action]) -> None: ...


@dataclass
class Tally:
    """What was written: actions by kind, and the seconds it took."""

    by_kind: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def total(self) -> int:
        return self.by_kind.total()

    @property
    def rate(self) -> float:
        return self.total / self.seconds if self.seconds else 0.0


def simulate(
    world: World,
    writer: Writes,
    rate: float,
    duration: float,
    *,
    stop: Callable[[], bool] = lambda: False,
    told: Callable[[int], None] = lambda _: None,
) -> Tally:
    """Write `rate` actions per second for `duration` seconds.

    Args:
        stop: asked at every tick; True ends the run after the batch in hand.
        told: hears the number of actions so far, at every tick.
    """
    tally, started = Tally(), time.monotonic()
    while not stop():
        elapsed = time.monotonic() - started
        actions = [world.next(datetime.now(UTC)) for _ in range(pace.due(elapsed, rate, duration, tally.total))]
        if actions:
            writer.write(actions)
            tally.by_kind.update(action.kind.value for action in actions)
            told(tally.total)
        tally.seconds = time.monotonic() - started
        if elapsed >= duration:
            break
        time.sleep(pace.next_tick(tally.seconds))
    return tally
