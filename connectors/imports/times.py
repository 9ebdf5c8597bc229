"""Times of an export: text in a known format, in a known zone, to an instant. Pure."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

ReadTime = Callable[[str], datetime]
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
    return lambda text: datetime.strptime(text, name)  # noqa: DTZ007 - a time without a zone is localised by the caller


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
