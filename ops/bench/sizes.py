"""How much each scenario measures: on two cores all take three quarters of an hour, each quick one under three minutes."""

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Sizes:
    """Numbers of events, tickets and seconds."""

    backlog_events: int  # in Kafka before anybody reads
    landing_rounds: int  # of ours and the peer's in turn
    latency_rates: tuple[int, ...]  # events per second
    latency_seconds: float  # for each rate
    snapshot_tickets: int
    setting_tickets: int  # for each setting that is varied
    setting_rounds: int  # of all settings in turn
    growth_tickets: tuple[int, ...]
    growth_events: int  # landed at each size: few would show what the first page after a checkpoint costs, not what landing does
    growth_versions: int  # of every tenth ticket; the others have one
    publish_up_to: int  # tickets; larger sizes measure landing only
    starts: int
    scale_events: int
    scale_workers: tuple[int, ...]

    def times(self, part: float) -> "Sizes":
        """Only this part of the events, tickets and seconds; rates, workers and versions stay."""
        kept = ("landing_rounds", "setting_rounds", "latency_rates", "growth_versions", "scale_workers", "starts")
        return replace(self, **{name: _part(value, part) for name, value in vars(self).items() if name not in kept})


def _part(value: Any, part: float) -> Any:
    if isinstance(value, tuple):
        return tuple(_part(one, part) for one in value)
    return max(1, round(value * part)) if isinstance(value, int) else value * part


FULL = Sizes(
    backlog_events=500_000, landing_rounds=3,
    latency_rates=(10, 200, 2_000), latency_seconds=60,
    snapshot_tickets=1_000_000, setting_tickets=100_000, setting_rounds=3,
    growth_tickets=(100_000, 1_000_000, 5_000_000), growth_events=300_000, growth_versions=10, publish_up_to=5_000_000,
    starts=3,
    scale_events=300_000, scale_workers=(1, 2, 4),
)  # fmt: skip
QUICK = Sizes(
    backlog_events=60_000, landing_rounds=1,
    latency_rates=(10, 200), latency_seconds=8,
    snapshot_tickets=40_000, setting_tickets=15_000, setting_rounds=1,
    growth_tickets=(20_000, 60_000), growth_events=20_000, growth_versions=10, publish_up_to=60_000,
    starts=1,
    scale_events=40_000, scale_workers=(1, 2),
)  # fmt: skip
