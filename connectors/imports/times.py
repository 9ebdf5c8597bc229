"""Times of an export: text in a known format, in a known zone, to an instant. Pure."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

ReadTime = Callable[[str], datetime]
DATE, TIME_OF_DAY = ("%Y", "%m", "%d"), ("%H", "%M", "%S", "%f", "%z")
DIGITS = {
    "%Y": r"(\d{4})",
    **dict.fromkeys(("%m", "%d", "%H", "%M", "%S"), r"(\d{1,2})"),
    "%f": r"(\d{1,6})",
    "%z": r"([+-]\d\d:?\d\d|Z)",
}
EARLIEST_EPOCH, LATEST_EPOCH = -62135596800, 253402300799  # years 1 to 9999


def reader(formats: Sequence[str], zone: str | None, clock_change: str, end: datetime) -> ReadTime:
    """A function from text to an aware instant.

    Args:
        formats: tried in turn; iso, epoch_seconds, epoch_milliseconds, age_seconds (before `end`), or strptime formats.
        zone: of times that carry none; None rejects them.
        clock_change: reject, earlier or later, for local times that a clock change skips or repeats.
        end: what ages count back from.

    The function raises ValueError with a reason for a person.
    """
    readers = [_by_name(name, end) for name in formats]

    def read(text: str) -> datetime:
        for each in readers:
            try:
                moment = each(text)
            except (ValueError, OverflowError):
                continue
            return moment if moment.tzinfo else localise(moment, zone, clock_change)
        raise ValueError(f"is not a time in the form {' or '.join(formats)}")

    return read


def _by_name(name: str, end: datetime) -> ReadTime:
    if name == "iso":
        return datetime.fromisoformat
    if name == "epoch_seconds":
        return lambda text: _from_epoch(float(text))
    if name == "epoch_milliseconds":
        return lambda text: _from_epoch(float(text) / 1000)
    if name == "age_seconds":
        return lambda text: end - timedelta(seconds=float(text))
    return _plain_format(name) or (lambda text: datetime.strptime(text, name))  # noqa: DTZ007 - the caller localises


def _plain_format(name: str) -> ReadTime | None:
    """A format of nothing but digits and marks, as a regular expression: several times as fast as strptime."""
    parts = re.split(r"(%.)", name)
    directives = [part for part in parts if part.startswith("%")]
    if not set(directives) <= set(DIGITS) or len(set(directives)) < len(directives) or not set(DATE) <= set(directives):
        return None
    pattern = re.compile("".join(DIGITS.get(part) or re.escape(part) for part in parts), re.ASCII)
    order = [directives.index(directive) if directive in directives else None for directive in (*DATE, *TIME_OF_DAY)]

    def read(text: str) -> datetime:
        match = pattern.fullmatch(text)
        if match is None:
            raise ValueError(text)
        groups = match.groups()
        year, month, day, hour, minute, second, fraction, zone = (None if at is None else groups[at] for at in order)
        moment = datetime(int(year or 0), int(month or 0), int(day or 0), tzinfo=_offset(zone) if zone else None)
        microsecond = int((fraction or "0").ljust(6, "0"))
        return moment.replace(hour=int(hour or 0), minute=int(minute or 0), second=int(second or 0), microsecond=microsecond)

    return read


@lru_cache(maxsize=200)
def _offset(text: str) -> tzinfo | None:
    return datetime.strptime(text, "%z").tzinfo


def _from_epoch(seconds: float) -> datetime:
    if not EARLIEST_EPOCH <= seconds <= LATEST_EPOCH:
        raise ValueError("outside the years 1 to 9999")
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def localise(moment: datetime, zone: str | None, clock_change: str) -> datetime:
    """Give a naive time its zone; a time that a clock change skipped or repeated follows `clock_change` (PEP 495)."""
    if zone is None:
        raise ValueError("carries no zone; write `timezone:` in the mapping, for instance Europe/Berlin")
    earlier = moment.replace(tzinfo=ZoneInfo(zone), fold=0)
    later = moment.replace(tzinfo=ZoneInfo(zone), fold=1)
    if earlier.utcoffset() == later.utcoffset():
        return earlier
    if clock_change == "reject":
        kind = "exists twice" if earlier.astimezone(UTC) < later.astimezone(UTC) else "does not exist"
        raise ValueError(f"{kind} in {zone} because the clocks change; write `clock_change: earlier` or `later` to accept it")
    first, second = sorted((earlier, later), key=lambda each: each.astimezone(UTC))
    return (first if clock_change == "earlier" else second).astimezone(UTC)
