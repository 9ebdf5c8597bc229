"""The rules that fold what was noticed into incidents. Pure: times come with the arguments.

A cause (fingerprint) has at most one open incident. Whether it is open depends on the newest notice by `raised_at`
alone, so rows that commit late or are read in another order change nothing; at equal times `ok` wins.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

SEVERITIES = ("info", "warning", "critical")  # rising

OPENED, UPDATED, REOPENED, CLOSED = "opened", "updated", "reopened", "closed"
LATE = "late: something newer of this cause was already read"
NOTHING_OPEN = "nothing was open"


@dataclass(frozen=True)
class Notice:
    """One row of ops.alert_outbox."""

    alert_id: int
    fingerprint: str
    state: str  # firing or ok
    severity: str
    owner: str
    summary: str
    details: Mapping[str, Any]
    raised_at: datetime


@dataclass(frozen=True)
class Incident:
    """One row of ops.incidents: one cause, from its first notice until it was over. `incident_id` is 0 until stored."""

    fingerprint: str
    severity: str  # the highest it had
    owner: str
    summary: str
    details: Mapping[str, Any]
    opened_at: datetime
    last_seen_at: datetime
    over_at: datetime | None = None
    over_by_silence: bool = False  # nobody said it is over; it was not seen for so long
    occurrences: int = 1
    reopened: int = 0
    told_as: str | None = None  # what readers heard last: open or over
    told_severity: str | None = None
    told_at: datetime | None = None
    letters: int = 0
    quiet_reason: str | None = None
    flagged: bool = False
    incident_id: int = 0

    @property
    def is_open(self) -> bool:
        return self.over_at is None

    @property
    def key(self) -> tuple[str, datetime]:
        """Names an incident before it has an id."""
        return self.fingerprint, self.opened_at


@dataclass(frozen=True)
class Folded:
    """What a batch of notices did: incidents to write (new ones have id 0), and per alert_id its outcome and incident's key."""

    incidents: tuple[Incident, ...]
    outcomes: Mapping[int, tuple[str, tuple[str, datetime] | None]]


def fold(
    latest: Mapping[str, Incident], last_ok: Mapping[str, datetime], notices: Iterable[Notice], reopen_within: timedelta
) -> Folded:
    """Apply notices to the newest incident of each cause.

    Args:
        latest: newest incident per fingerprint, where there is one.
        last_ok: newest `ok` already read per fingerprint; keeps a firing that commits late from opening what is over.
        reopen_within: a cause that fires again this soon after it was over continues the same incident.
    """
    current, ok_seen = dict(latest), dict(last_ok)
    finished: list[Incident] = []
    outcomes: dict[int, tuple[str, tuple[str, datetime] | None]] = {}
    for notice in sorted(notices, key=lambda row: (row.raised_at, row.alert_id)):
        cause, before = notice.fingerprint, current.get(notice.fingerprint)
        after, outcome = step(before, ok_seen.get(cause), notice, reopen_within)
        if outcome == OPENED and before is not None:
            finished.append(before)
        if after is not None:
            current[cause] = after
        if notice.state == "ok":
            ok_seen[cause] = max(notice.raised_at, ok_seen.get(cause, notice.raised_at))
        outcomes[notice.alert_id] = (outcome, after.key if after else None)
    changed = (incident for incident in (*finished, *current.values()) if incident != latest.get(incident.fingerprint))
    return Folded(tuple(changed), outcomes)


def step(
    incident: Incident | None, last_ok: datetime | None, notice: Notice, reopen_within: timedelta
) -> tuple[Incident | None, str]:
    """One notice against the newest incident of its cause: the incident afterwards, and the outcome."""
    if notice.state == "ok":
        return _ended(incident, notice)
    if incident is not None and incident.is_open:
        return _seen_again(incident, notice), UPDATED
    if incident is not None and incident.over_at is not None and notice.raised_at <= incident.over_at:
        return replace(incident, occurrences=incident.occurrences + 1), LATE
    if last_ok is not None and notice.raised_at <= last_ok:
        return incident, LATE
    if incident is not None and incident.over_at is not None and notice.raised_at - incident.over_at <= reopen_within:
        return replace(
            _seen_again(incident, notice), over_at=None, over_by_silence=False, reopened=incident.reopened + 1
        ), REOPENED
    return _opened(notice), OPENED


def silenced(incident: Incident, silence: Mapping[str, timedelta], now: datetime) -> Incident:
    """An incident whose cause never says `ok` is over when it was not seen for the time its pattern in `silence` gives."""
    for pattern, length in silence.items():
        if incident.is_open and fnmatchcase(incident.fingerprint, pattern) and now - incident.last_seen_at >= length:
            return replace(incident, over_at=incident.last_seen_at + length, over_by_silence=True)
    return incident


def rank(severity: str | None) -> int:
    """Position of a severity; something unknown or absent is below all."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1


def _opened(notice: Notice) -> Incident:
    return Incident(
        notice.fingerprint, notice.severity, notice.owner, notice.summary, notice.details, notice.raised_at, notice.raised_at
    )


def _seen_again(incident: Incident, notice: Notice) -> Incident:
    severity = max(incident.severity, notice.severity, key=rank)
    counted = replace(incident, occurrences=incident.occurrences + 1, severity=severity)
    if notice.raised_at < incident.last_seen_at:
        return counted
    return replace(counted, owner=notice.owner, summary=notice.summary, details=notice.details, last_seen_at=notice.raised_at)


def _ended(incident: Incident | None, notice: Notice) -> tuple[Incident | None, str]:
    if incident is None or not incident.is_open:
        return incident, NOTHING_OPEN
    if notice.raised_at < incident.last_seen_at:
        return incident, LATE
    reason = incident.quiet_reason or (None if incident.told_as else "over before anyone was told")
    return replace(incident, over_at=notice.raised_at, quiet_reason=reason), CLOSED
