"""The routes file as a value: who hears what, who is mentioned, when it is quiet, how often is often enough."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

DEFAULT_FILE = Path(__file__).with_name("routes.yml")


@dataclass(frozen=True)
class Route:
    """Fits alerts by severity and owner; an empty set fits all."""

    channel: str
    severities: frozenset[str] = frozenset()
    owners: frozenset[str] = frozenset()
    mentions: tuple[str, ...] = ()

    def fits(self, severity: str, owner: str) -> bool:
        return (not self.severities or severity in self.severities) and (not self.owners or owner in self.owners)


@dataclass(frozen=True)
class QuietHours:
    """A span of the day, over midnight when `start` is later than `end`, in which some severities wait."""

    severities: frozenset[str]
    start: time
    end: time
    zone: ZoneInfo

    def holds(self, severity: str, now: datetime) -> bool:
        clock = now.astimezone(self.zone).time()
        inside = self.start <= clock < self.end if self.start <= self.end else clock >= self.start or clock < self.end
        return severity in self.severities and inside

    def end_after(self, now: datetime) -> datetime:
        """The next moment the quiet hours end; found on the wall clock, so that a change to summer time moves nothing."""
        local = now.astimezone(self.zone)
        today = datetime.combine(local.date(), self.end, self.zone)
        end = today if today > local else datetime.combine(local.date() + timedelta(days=1), self.end, self.zone)
        return end.astimezone(now.tzinfo)


@dataclass(frozen=True)
class Pace:
    """How often is often enough."""

    reminders: Mapping[str, tuple[timedelta, ...]] = field(default_factory=dict)
    group_above: int = 5
    letters_per_hour: int = 30
    digest: timedelta = timedelta(minutes=5)
    settle: timedelta = timedelta(seconds=30)
    reopen_within: timedelta = timedelta(minutes=10)


@dataclass(frozen=True)
class Routes:
    """A whole routes file. `channels` maps a channel's name to the environment variable that holds its webhook."""

    channels: Mapping[str, str]
    routes: tuple[Route, ...]
    owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    quiet_hours: QuietHours | None = None
    pace: Pace = field(default_factory=Pace)
    over_after_silence: Mapping[str, timedelta] = field(default_factory=dict)
    runbook: str = "README.md"

    def route(self, severity: str, owner: str) -> Route:
        """The first route that fits; the reader guarantees that the last one fits everything."""
        return next(route for route in self.routes if route.fits(severity, owner))

    def mentions(self, severity: str, owner: str) -> tuple[str, ...]:
        """Slack's own mention markup for the owner and the route, each once."""
        names = (*self.owners.get(owner, ()), *self.route(severity, owner).mentions)
        return tuple(dict.fromkeys(_mention(name) for name in names))


def _mention(name: str) -> str:
    if name in ("here", "channel"):
        return f"<!{name}>"
    return f"<!subteam^{name}>" if name.startswith("S") else f"<@{name}>"
