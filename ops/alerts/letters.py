"""The rules that decide who is told what, and when. Pure: level-triggered on what readers heard last.

An incident has at most one letter waiting; a letter is rendered when it is sent and so always shows the newest state.
What is not told now has a reason that `cx alerts list` shows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ops.alerts.incidents import Incident, rank
from ops.alerts.routes import Pace, Routes

NEW, AGAIN, WORSE, REMINDER, OVER, GROUP = "opened", "reopened", "worse", "reminder", "over", "group"
FLAPPING = 2  # reopened this often: its end is believed only after the whole reopen window


@dataclass(frozen=True)
class Letter:
    """A message to send: to a channel, about incidents, not before a time. `delivery_id` is 0 until stored."""

    channel: str
    kind: str
    incident_ids: tuple[int, ...]
    not_before: datetime
    delivery_id: int = 0
    is_sending: bool = False  # at this moment: it counts as told, and nothing can absorb it any more


@dataclass(frozen=True)
class Plan:
    """Letters to store, waiting letters that a group absorbed (delivery ids), and why each silent incident is silent."""

    letters: tuple[Letter, ...]
    absorbed: tuple[int, ...]
    quiet: Mapping[int, str]


@dataclass(frozen=True)
class Situation:
    """What the decision depends on beside the incidents."""

    routes: Routes
    now: datetime
    told_last_hour: Mapping[str, int] = field(default_factory=dict)  # letters per channel
    missing: Mapping[str, str] = field(default_factory=dict)  # channels that cannot be used, with the reason

    def is_loud(self, channel: str) -> bool:
        """Whether the channel heard so much in the last hour that the rest comes in digests."""
        return self.told_last_hour.get(channel, 0) >= self.routes.pace.letters_per_hour


@dataclass(frozen=True)
class _Due:
    incident_id: int
    kind: str
    channel: str
    at: datetime


def plan(incidents: Iterable[Incident], waiting: Iterable[Letter], situation: Situation) -> Plan:
    """Decide all letters of this moment.

    Args:
        incidents: those that are open, or that readers believe to be open, and all that waiting letters name.
        waiting: letters not yet delivered.
    """
    known = {incident.incident_id: incident for incident in incidents}
    usable = [letter for letter in waiting if letter.channel not in situation.missing]
    replaced = [letter for letter in usable if _is_stale(letter, known, situation)]
    staying = [letter for letter in usable if letter not in replaced]
    held = {incident_id: letter for letter in staying for incident_id in letter.incident_ids}
    freed = {incident_id for letter in replaced for incident_id in letter.incident_ids}
    dues: list[_Due] = []
    quiet: dict[int, str] = {}
    for incident in known.values():
        letter = held.get(incident.incident_id)
        verdict = _why_waiting(letter, situation.now) if letter else _verdict(incident, incident.incident_id in freed, situation)
        if isinstance(verdict, str):
            quiet[incident.incident_id] = verdict
        else:
            dues.append(verdict)
    letters, absorbed = _gathered(dues, staying, situation)
    return Plan(tuple(letters), (*(letter.delivery_id for letter in replaced), *absorbed), quiet)


def due_kind(incident: Incident, pace: Pace, now: datetime) -> str | None:
    """The kind of letter this incident needs now; None when readers know enough."""
    if not incident.is_open:
        return OVER if incident.told_as == "open" and now >= believed_over_at(incident, pace) else None
    if incident.told_as is None:
        return NEW
    if incident.told_as == "over":
        return AGAIN
    if rank(incident.severity) > rank(incident.told_severity):
        return WORSE
    reminder = next_reminder_at(incident, pace)
    return REMINDER if reminder and now >= reminder and not incident.flagged else None


def believed_over_at(incident: Incident, pace: Pace) -> datetime:
    """When the end of an incident is told: soon, but later for one that keeps coming back."""
    ended = incident.over_at or incident.last_seen_at
    return ended + (pace.reopen_within if incident.reopened >= FLAPPING else pace.settle)


def next_reminder_at(incident: Incident, pace: Pace) -> datetime | None:
    """When an open incident is told again: each interval once, then the last one repeated; None without intervals."""
    intervals = pace.reminders.get(incident.severity, ())
    if not intervals or incident.told_at is None:
        return None
    return incident.told_at + intervals[min(max(incident.letters, 1), len(intervals)) - 1]


def tellable_at(severity: str, channel: str, situation: Situation) -> datetime:
    """The earliest moment for a letter: after the quiet hours, and at the next digest once the channel heard too much."""
    now, quiet = situation.now, situation.routes.quiet_hours
    at = quiet.end_after(now) if quiet and quiet.holds(severity, now) else now
    return max(at, next_slot(now, situation.routes.pace.digest)) if situation.is_loud(channel) else at


def next_slot(now: datetime, length: timedelta) -> datetime:
    """The next full multiple of `length` on the clock, so that all who wait for it share one moment."""
    seconds = int(length.total_seconds())
    return datetime.fromtimestamp((int(now.timestamp()) // seconds + 1) * seconds, now.tzinfo)


def _verdict(incident: Incident, was_waiting: bool, situation: Situation) -> _Due | str:
    pace = situation.routes.pace
    kind = due_kind(incident, pace, situation.now) or (NEW if was_waiting else None)
    if kind is None:
        return _why_quiet(incident, pace)
    channel = situation.routes.route(incident.severity, incident.owner).channel
    if channel in situation.missing:
        return situation.missing[channel]
    return _Due(incident.incident_id, kind, channel, tellable_at(incident.severity, channel, situation))


def _gathered(dues: Sequence[_Due], waiting: Sequence[Letter], situation: Situation) -> tuple[list[Letter], list[int]]:
    """One letter each, or one for all when more than `group_above` wait for the same channel and moment."""
    letters: list[Letter] = []
    absorbed: list[int] = []
    for channel, at in dict.fromkeys((due.channel, due.at) for due in dues):
        new = [due for due in dues if (due.channel, due.at) == (channel, at)]
        old = [letter for letter in waiting if letter.channel == channel and _is_for(letter, at, situation.now)]
        members = tuple(dict.fromkeys([i for letter in old for i in letter.incident_ids] + [due.incident_id for due in new]))
        if len(members) > (1 if situation.is_loud(channel) else situation.routes.pace.group_above):
            letters.append(Letter(channel, GROUP, members, at))
            absorbed += [letter.delivery_id for letter in old]
        else:
            letters += [Letter(channel, due.kind, (due.incident_id,), at) for due in new]
    return letters, absorbed


def _is_for(letter: Letter, at: datetime, now: datetime) -> bool:
    """Whether a waiting letter can join those of the moment `at`."""
    return not letter.is_sending and (letter.not_before == at or (letter.not_before <= now and at <= now))


def _is_stale(letter: Letter, known: Mapping[int, Incident], situation: Situation) -> bool:
    """Whether a letter must be planned anew: its channel left the routes, or it waits for the morning and became critical."""
    if letter.is_sending:
        return False
    if letter.channel not in situation.routes.channels:
        return True
    members = [known[incident_id] for incident_id in letter.incident_ids if incident_id in known]
    earliest = [tellable_at(one.severity, letter.channel, situation) for one in members if one.is_open]
    return letter.not_before > situation.now and any(at < letter.not_before for at in earliest)


def _why_waiting(letter: Letter, now: datetime) -> str:
    until = f" until {letter.not_before:%Y-%m-%d %H:%M %Z}" if letter.not_before > now else ""
    return f"a letter waits for channel {letter.channel}{until}"


def _why_quiet(incident: Incident, pace: Pace) -> str:
    if not incident.is_open:
        if incident.told_as is None:
            return "over before anyone was told"
        at = f"{believed_over_at(incident, pace):%H:%M:%S %Z}"
        return "over, and told" if incident.told_as == "over" else f"over: told if it stays so, at {at}"
    if incident.flagged:
        return "told, and flagged as not a problem: no reminders"
    reminder = next_reminder_at(incident, pace)
    return f"told, next reminder {reminder:%Y-%m-%d %H:%M %Z}" if reminder else f"told, no reminders for {incident.severity}"
