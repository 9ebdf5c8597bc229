"""What `cx alerts list` and `cx alerts show` print. Reading in `state` and `history`, text in pure functions."""

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from ops.alerts import facts
from ops.alerts.incidents import Incident
from ops.alerts.markup import one_line


def state(connection: Connection[Any]) -> dict[str, Any]:
    """ops.alert_status and ops.alert_channels."""
    with connection.cursor(row_factory=dict_row) as cursor:
        status = cursor.execute("select * from ops.alert_status").fetchall()[0]
        channels = cursor.execute("select * from ops.alert_channels order by channel").fetchall()
    return {"status": status, "channels": channels}


def history(connection: Connection[Any], incident_id: int) -> dict[str, Any]:
    """Letters and flags of one incident."""
    with connection.cursor(row_factory=dict_row) as cursor:
        letters = """
            select kind, channel, state, attempts, not_before, delivered_at, last_error
            from ops.alert_deliveries where %s = any(incident_ids) order by delivery_id"""
        flags = "select flagged_by, why, via, flagged_at from ops.alert_flags where incident_id = %s order by flag_id"
        return {
            "letters": cursor.execute(letters, (incident_id,)).fetchall(),
            "flags": cursor.execute(flags, (incident_id,)).fetchall(),
        }


def lines(incidents: Sequence[Incident], known: Mapping[str, Any], zone: tzinfo, now: datetime) -> list[str]:
    """The list for people: two lines per incident, then what does not work."""
    said = [line for incident in incidents for line in _listed(incident, zone, now)] or ["no open incident"]
    status = known["status"]
    if status["unread"]:
        since = facts.moment(status["oldest_unread_at"], zone)
        said.append(f"{status['unread']} notices are unread since {since}: is the notifier up?")
    if status["waiting"]:
        said.append(f"{status['waiting']} letters wait, the oldest since {facts.moment(status['oldest_waiting_at'], zone)}")
    for channel in known["channels"]:
        if channel["state"] != "working":
            since = facts.moment(channel["since"], zone)
            said.append(f"channel {channel['channel']} is {channel['state']} since {since}: {one_line(channel['last_error'])}")
    return said


def letter(incident: Incident, past: Mapping[str, Any], zone: tzinfo, with_quotes: bool) -> list[str]:
    """One incident for people, as a letter."""
    count, details = facts.affected(incident.details), incident.details
    rows = facts.failing_rows(details, with_quotes)
    return [
        f"Incident {incident.incident_id}, {incident.severity}: {one_line(incident.summary)}",
        f"  cause     {one_line(incident.fingerprint)}",
        f"  owner     {one_line(incident.owner)}",
        f"  since     {facts.moment(facts.since(details, incident.opened_at), zone)}, noticed {incident.occurrences} times",
        f"  state     {_state(incident, zone)}",
        *([f"  affected  {count:,}"] if count is not None else []),
        *[f"  row       {one_line(f'{row.ticket}  {row.field} = {row.value}  {row.evidence_url}')}" for row in rows],
        *[f"  {one_line(f'{name}: {value}')}" for name, value in facts.further(details, with_quotes)],
        *[f"  {title:9} {one_line(text)}" for title, key in _TEXTS if (text := facts.text(details, key))],
        f"  told      {_told(incident, zone)}",
        *[f"  letter    {_sent(one)}" for one in past["letters"]],
        *[f"  flagged   by {one_line(one['flagged_by'])}: {one_line(one['why'])}" for one in past["flags"]],
    ]


_TEXTS = (("to do", "remedy"), ("data docs", "data_docs"), ("runbook", "runbook"))


def _listed(incident: Incident, zone: tzinfo, now: datetime) -> list[str]:
    length = facts.lasted(incident, now)
    lasting = f"over, lasted {length}" if incident.over_at else f"open for {length}"
    head = f"{incident.incident_id:>5}  {incident.severity:8}  {lasting:24}  {one_line(incident.owner)}"
    why = f"  ({incident.quiet_reason})" if incident.quiet_reason else ""
    return [head, f"       {one_line(incident.summary)[:300]}{why}"]


def _state(incident: Incident, zone: tzinfo) -> str:
    if incident.over_at is None:
        return "open"
    return f"over since {facts.moment(incident.over_at, zone)}, lasted {facts.lasted(incident, incident.over_at)}"


def _told(incident: Incident, zone: tzinfo) -> str:
    if incident.told_at is None:
        return f"nobody yet: {incident.quiet_reason or 'not read by the notifier'}"
    told = f"as {incident.told_as} at {facts.moment(incident.told_at, zone)}, letters: {incident.letters}"
    return f"{told} ({incident.quiet_reason})" if incident.quiet_reason else told


def _sent(one: Mapping[str, Any]) -> str:
    error = f" ({one_line(one['last_error'])})" if one["last_error"] else ""
    return f"{one['kind']} to {one['channel']}: {one['state']}, tries {one['attempts']}{error}"
