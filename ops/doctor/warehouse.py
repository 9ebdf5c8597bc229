"""The warehouse and the clocks. Pure functions over fetched facts."""

from collections.abc import Iterator
from dataclasses import dataclass

from ops.doctor.check import Check, bytes_in_words

MOST_SKEW = 1.0  # seconds; latencies are differences between these clocks
LEAST_FREE = 2 * 1024**3  # bytes


@dataclass(frozen=True)
class WarehouseFacts:
    """What the warehouse says of itself and of the role that BI uses."""

    version: int  # server_version_num
    revision: str | None
    reader_may_log_in: bool | None  # None: no such role
    reader_reads_marts: bool = False
    reader_reaches: tuple[str, ...] = ()  # schemas of ours besides marts
    reader_writes: tuple[str, ...] = ()  # marts that it may change


@dataclass(frozen=True)
class Clock:
    """How far a machine's clock is ahead of this one's, in seconds; known to within `uncertainty`."""

    ahead: float
    uncertainty: float


def checks(facts: WarehouseFacts, newest_revision: str) -> Iterator[Check]:
    """All checks of the warehouse."""
    major = facts.version // 10000
    yield Check("warehouse: PostgreSQL version", major >= 14, str(major), "upgrade the warehouse to PostgreSQL 14 or newer")
    found = facts.revision or "none"
    yield Check("warehouse: schema revision", facts.revision == newest_revision, f"{found} of {newest_revision}", "cx prepare")
    yield _reader(facts)


def _reader(facts: WarehouseFacts) -> Check:
    name = "warehouse: role bi_reader"
    if facts.reader_may_log_in is None:
        return Check(name, False, "not there", "cx prepare")
    if not facts.reader_may_log_in:
        return Check(name, False, "may not log in", "cx prepare")
    if not facts.reader_reads_marts:
        return Check(name, False, "may not read schema marts", "grant usage on schema marts to bi_reader")
    if facts.reader_reaches:
        schemas = ", ".join(facts.reader_reaches)
        return Check(name, False, f"may also use {schemas}", f"revoke usage on schema {schemas} from bi_reader")
    if facts.reader_writes:
        tables = ", ".join(facts.reader_writes)
        return Check(name, False, f"may write {tables}", f"revoke insert, update, delete, truncate on {tables} from bi_reader")
    return Check(name, True, "reads marts, and nothing else")


def clock_check(name: str, clock: Clock) -> Check:
    """A skew beyond what the measurement leaves open."""
    skew = max(0.0, abs(clock.ahead) - clock.uncertainty)
    found = f"{clock.ahead:+.3f} s (known to {clock.uncertainty:.3f} s)"
    return Check(
        f"{name}: clock against this machine's", skew <= MOST_SKEW, found, "keep the clocks together: chrony or systemd-timesyncd"
    )


def disk_check(place: str, free: int) -> Check:
    """Room for WAL, topics and the databases of the embedded stack."""
    remedy = f"free at least {bytes_in_words(LEAST_FREE)} there"
    return Check(f"disk: {place}", free >= LEAST_FREE, f"{bytes_in_words(free)} free", remedy)
