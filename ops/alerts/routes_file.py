"""Reading a routes file: every mistake is named with the file, the key and what would be right."""

import re
from datetime import time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from ops.alerts.incidents import SEVERITIES
from ops.alerts.routes import DEFAULT_FILE, Pace, QuietHours, Route, Routes
from ops.settings import SettingsError

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
PACE_KEYS = ("group_above", "letters_per_hour", "digest", "settle", "reopen_within")
TOP_KEYS = ("channels", "routes", "owners", "quiet_hours", "reminders", "over_after_silence", "runbook", *PACE_KEYS)


class RoutesError(SettingsError):
    """The routes file cannot be used; the message names the file and the key."""


def read(path: str = "") -> Routes:
    """Read the file at `path`, or the one that comes with the project.

    Raises:
        RoutesError: no such file, not YAML, an unknown key, or a value that does not fit.
    """
    file = Path(path) if path else DEFAULT_FILE
    try:
        return parse(yaml.safe_load(file.read_text()))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise RoutesError(f"{file}: cannot be read: {' '.join(str(error).split())}") from error
    except RoutesError as error:
        raise RoutesError(f"{file}: {error}") from error


def parse(document: Any) -> Routes:
    """Build Routes from the parsed YAML."""
    top = _mapping(document, "the file", TOP_KEYS)
    channels = {name: _variable(value, f"channels.{name}") for name, value in _mapping(top.get("channels"), "channels").items()}
    routes = tuple(_route(item, f"routes[{i}]", channels) for i, item in enumerate(_list(top.get("routes"), "routes")))
    if not routes or routes[-1].severities or routes[-1].owners:
        raise RoutesError("routes: the last one must fit everything (no severity, no owner), so that every alert has a reader")
    owners = _mapping(top.get("owners", {}), "owners")
    silence = _mapping(top.get("over_after_silence", {}), "over_after_silence")
    return Routes(
        channels,
        routes,
        {name: _mentions(value, f"owners.{name}") for name, value in owners.items()},
        _quiet_hours(top["quiet_hours"]) if top.get("quiet_hours") else None,
        _pace(top),
        {pattern: _duration(value, f"over_after_silence.{pattern}") for pattern, value in silence.items()},
        str(top.get("runbook", Routes.runbook)),
    )


def _route(value: Any, key: str, channels: dict[str, str]) -> Route:
    item = _mapping(value, key, ("severity", "owner", "channel", "mention"))
    channel = item.get("channel")
    if channel not in channels:
        raise RoutesError(f"{key}.channel: {channel!r} is not one of the channels: {', '.join(channels)}")
    owners = frozenset(str(owner) for owner in _list(item.get("owner", []), f"{key}.owner"))
    return Route(channel, _severities(item.get("severity", []), f"{key}.severity"), owners,
                 _mentions(item.get("mention", []), f"{key}.mention"))  # fmt: skip


def _pace(top: dict[str, Any]) -> Pace:
    reminders = _mapping(top.get("reminders", {}), "reminders", SEVERITIES)
    intervals = {
        severity: tuple(_duration(item, f"reminders.{severity}") for item in _list(items, f"reminders.{severity}"))
        for severity, items in reminders.items()
    }
    given: dict[str, Any] = {key: top[key] for key in PACE_KEYS if key in top}
    for key, value in given.items():
        given[key] = _count(value, key) if key in ("group_above", "letters_per_hour") else _duration(value, key)
    return Pace(reminders=intervals, **given)


def _quiet_hours(value: Any) -> QuietHours:
    item = _mapping(value, "quiet_hours", ("severity", "from", "to", "zone"))
    try:
        zone = ZoneInfo(str(item.get("zone", "UTC")))
    except (KeyError, ValueError, OSError) as error:
        raise RoutesError(f"quiet_hours.zone: {item.get('zone')!r} is not a time zone like Europe/Berlin") from error
    start, end = (_clock(item.get(name), f"quiet_hours.{name}") for name in ("from", "to"))
    return QuietHours(_severities(item.get("severity", []), "quiet_hours.severity"), start, end, zone)


def _variable(value: Any, key: str) -> str:
    name = _mapping(value, key, ("webhook",)).get("webhook")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
        raise RoutesError(f"{key}.webhook: must be the name of an environment variable like CX_SLACK_WEBHOOK_URL, not an address")
    return name


def _severities(value: Any, key: str) -> frozenset[str]:
    items = _list(value, key)
    for item in items:
        if item not in SEVERITIES:
            raise RoutesError(f"{key}: {item!r} is not one of {', '.join(SEVERITIES)}")
    return frozenset(items)


def _mentions(value: Any, key: str) -> tuple[str, ...]:
    items = _list(value, key)
    for item in items:
        if not isinstance(item, str) or not re.fullmatch(r"here|channel|[UWS][A-Z0-9]{4,20}", item):
            raise RoutesError(f"{key}: {item!r} is not a member id (U…), a user group id (S…), here or channel")
    return tuple(items)


def _duration(value: Any, key: str) -> timedelta:
    found = re.fullmatch(r"([1-9][0-9]{0,5})\s*([smhd])", str(value))
    if not found:
        raise RoutesError(f"{key}: {value!r} is not a length of time like 30s, 10m, 4h or 1d")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def _clock(value: Any, key: str) -> time:
    try:
        return time.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise RoutesError(f'{key}: {value!r} is not a time of day like "20:00" (in quotes)') from error


def _count(value: Any, key: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise RoutesError(f"{key}: {value!r} is not a whole number above 0")


def _list(value: Any, key: str) -> list[Any]:
    if not isinstance(value, list):
        raise RoutesError(f"{key}: must be a list")
    return value


def _mapping(value: Any, key: str, allowed: tuple[str, ...] | None = None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RoutesError(f"{key}: must be a mapping of names to values")
    for name in value:
        if allowed is not None and name not in allowed:
            raise RoutesError(f"{key}: {name!r} is not known; known are {', '.join(allowed)}")
    return {str(name): item for name, item in value.items()}
