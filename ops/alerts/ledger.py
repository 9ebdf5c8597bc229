"""The SQL around the incident and letter rules: one transaction reads the outbox, changes incidents, and queues letters."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from ops.alerts import incidents as rules
from ops.alerts.incidents import Folded, Incident, Notice
from ops.alerts.letters import Letter, Plan, Situation, plan
from ops.alerts.routes import Routes

BATCH = 1000  # notices read in one transaction

# A writer's mistake in details must not stop the alerts of all others.
OBJECT = "case jsonb_typeof(details) when 'object' then details else '{}' end as details"
NOTICE_COLUMNS = ", ".join(OBJECT if field.name == "details" else field.name for field in fields(Notice))
STORED = [field.name for field in fields(Incident) if field.name not in ("incident_id", "flagged")]
INCIDENT_COLUMNS = (
    ", ".join(f"incidents.{name}" for name in (*STORED, "incident_id"))
    + ", exists (select from ops.alert_flags where alert_flags.incident_id = incidents.incident_id) as flagged"
)


def tick(connection: Connection[Any], routes: Routes, missing: Mapping[str, str], now: datetime) -> bool:
    """Fold what is new and queue the letters that are due, in one transaction.

    Args:
        missing: channels that cannot be used, with the reason that `cx alerts list` shows.

    Returns: whether more notices may wait than one batch holds.
    """
    with connection.transaction():
        notices = unread(connection)
        if notices:
            causes = sorted({notice.fingerprint for notice in notices})
            folded = rules.fold(newest(connection, causes), last_ok(connection, causes), notices, routes.pace.reopen_within)
            store(connection, folded)
        concerned = attended(connection)
        ended = [after for one in concerned if (after := rules.silenced(one, routes.over_after_silence, now)) != one]
        for incident in ended:
            _write(connection, incident)
        current = {incident.incident_id: incident for incident in (*concerned, *ended)}
        situation = Situation(routes, now, told_last_hour(connection, now), missing)
        planned = plan(current.values(), waiting(connection), situation)
        queue(connection, planned, current)
    return len(notices) == BATCH


def unread(connection: Connection[Any]) -> list[Notice]:
    """The oldest notices that were not read yet."""
    with connection.cursor(row_factory=class_row(Notice)) as cursor:
        query = f"select {NOTICE_COLUMNS} from ops.alert_outbox where processed_at is null order by alert_id limit {BATCH}"
        return cursor.execute(query).fetchall()


def newest(connection: Connection[Any], causes: Sequence[str]) -> dict[str, Incident]:
    """The newest incident of each cause."""
    query = f"""
        select distinct on (fingerprint) {INCIDENT_COLUMNS}
        from ops.incidents
        where fingerprint = any(%s)
        order by fingerprint, incident_id desc"""
    return {incident.fingerprint: incident for incident in _incidents(connection, query, (list(causes),))}


def last_ok(connection: Connection[Any], causes: Sequence[str]) -> dict[str, datetime]:
    """When each cause was last said to be over, among the notices already read."""
    query = """
        select fingerprint, max(raised_at) from ops.alert_outbox
        where state = 'ok' and processed_at is not null and fingerprint = any(%s) group by fingerprint"""
    return dict(connection.execute(query, (list(causes),)).fetchall())


def attended(connection: Connection[Any]) -> list[Incident]:
    """Incidents that are open, that readers believe to be open, or that a waiting letter names."""
    query = f"""
        with named as (
            select unnest(incident_ids) as incident_id from ops.alert_deliveries where state in ('waiting', 'sending', 'failed')
        )
        select {INCIDENT_COLUMNS} from ops.incidents where over_at is null or told_as = 'open'
        union all
        select {INCIDENT_COLUMNS} from ops.incidents
        where over_at is not null and told_as is distinct from 'open' and incident_id in (select incident_id from named)"""
    return _incidents(connection, query)


def by_id(connection: Connection[Any], incident_ids: Sequence[int]) -> list[Incident]:
    """Incidents in the order of their ids; unknown ids are left out."""
    query = f"select {INCIDENT_COLUMNS} from ops.incidents where incident_id = any(%s) order by incident_id"
    return _incidents(connection, query, (list(incident_ids),))


def recent(connection: Connection[Any], with_over: bool, limit: int = 200) -> list[Incident]:
    """Open incidents, and with `with_over` the newest of all."""
    condition = "true" if with_over else "over_at is null"
    query = f"""
        select {INCIDENT_COLUMNS} from ops.incidents where {condition}
        order by over_at is null desc, incident_id desc limit %s"""
    return _incidents(connection, query, (limit,))


def store(connection: Connection[Any], folded: Folded) -> None:
    """Write changed incidents, old ones before new ones, and note on every notice what it did."""
    ids: dict[tuple[str, datetime], int] = {}
    for incident in sorted(folded.incidents, key=lambda one: (one.is_open, one.opened_at)):
        ids[incident.key] = _write(connection, incident)
    missing = [key for _, key in folded.outcomes.values() if key is not None and key not in ids]
    for fingerprint, opened_at in dict.fromkeys(missing):
        query = "select max(incident_id) from ops.incidents where fingerprint = %s and opened_at = %s"
        ids[fingerprint, opened_at] = connection.execute(query, (fingerprint, opened_at)).fetchall()[0][0]
    done = [(outcome, ids[key] if key else None, alert_id) for alert_id, (outcome, key) in folded.outcomes.items()]
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            update ops.alert_outbox set processed_at = clock_timestamp(), outcome = %s, incident_id = %s
            where alert_id = %s""",
            done,
        )


def waiting(connection: Connection[Any]) -> list[Letter]:
    """Letters that were not delivered yet."""
    query = """
        select channel, kind, incident_ids, not_before, delivery_id, state = 'sending'
        from ops.alert_deliveries where state in ('waiting', 'sending', 'failed') order by delivery_id"""
    return [Letter(channel, kind, tuple(ids), *rest) for channel, kind, ids, *rest in connection.execute(query)]


def told_last_hour(connection: Connection[Any], now: datetime) -> dict[str, int]:
    """Letters per channel that were delivered in the hour before now."""
    query = """
        select channel, count(*) from ops.alert_deliveries
        where state = 'delivered' and delivered_at > %s - interval '1 hour' group by channel"""
    return dict(connection.execute(query, (now,)).fetchall())


def queue(connection: Connection[Any], planned: Plan, current: Mapping[int, Incident]) -> None:
    """Store the plan: new letters, absorbed ones, and the reason of every silence that changed."""
    for letter in planned.letters:
        connection.execute(
            "insert into ops.alert_deliveries (channel, kind, incident_ids, not_before) values (%s, %s, %s, %s)",
            (letter.channel, letter.kind, list(letter.incident_ids), letter.not_before),
        )
    if planned.absorbed:
        query = "update ops.alert_deliveries set state = 'grouped' where delivery_id = any(%s)"
        connection.execute(query, (list(planned.absorbed),))
    queued = {i: f"a letter waits for channel {letter.channel}" for letter in planned.letters for i in letter.incident_ids}
    for incident_id, reason in {**planned.quiet, **queued}.items():
        if incident_id in current and current[incident_id].quiet_reason != reason:
            connection.execute("update ops.incidents set quiet_reason = %s where incident_id = %s", (reason, incident_id))


def prune(connection: Connection[Any], channels: Iterable[str], days: int = 90) -> None:
    """Forget old notices and letters, and channels that left the routes file; incidents and flags stay.

    The newest notice of each cause stays too: writers look at it to know what they said last.
    """
    old = "< clock_timestamp() - make_interval(days => %s)"
    done = "state in ('delivered', 'grouped', 'refused')"
    with connection.transaction():
        newer = "exists (select from ops.alert_outbox n where n.fingerprint = o.fingerprint and n.alert_id > o.alert_id)"
        connection.execute(f"delete from ops.alert_outbox o where processed_at {old} and {newer}", (days,))
        connection.execute(f"delete from ops.alert_deliveries where {done} and created_at {old}", (days,))
        connection.execute("delete from ops.alert_channels where channel <> all(%s)", (list(channels),))


def _incidents(connection: Connection[Any], query: str, parameters: Iterable[Any] = ()) -> list[Incident]:
    with connection.cursor(row_factory=class_row(Incident)) as cursor:
        return cursor.execute(query, tuple(parameters)).fetchall()


def _write(connection: Connection[Any], incident: Incident) -> int:
    values = {name: getattr(incident, name) for name in STORED} | {"details": Jsonb(incident.details)}
    if incident.incident_id:
        pairs = ", ".join(f"{name} = %({name})s" for name in STORED)
        connection.execute(
            f"update ops.incidents set {pairs} where incident_id = %(incident_id)s",
            values | {"incident_id": incident.incident_id},
        )
        return incident.incident_id
    places = ", ".join(f"%({name})s" for name in STORED)
    query = f"insert into ops.incidents ({', '.join(STORED)}) values ({places}) returning incident_id"
    return int(connection.execute(query, values).fetchall()[0][0])
