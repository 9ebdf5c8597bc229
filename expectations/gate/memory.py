"""The gate's tables: held tickets, what is known of each check, and the alert outbox."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from psycopg import Connection

from expectations.gate.alerts import Alert, Known, Remembered, remember
from expectations.gate.quarantine import BatchTicket, Held, Hold, Ticket
from expectations.gate.verdict import CheckResult, FailingRow

HOLD = """
insert into ops.held_tickets (source_system, ticket_id, reason, check_name, suite, scope, field, value, evidence_url)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
on conflict (source_system, ticket_id) do update set
    reason = excluded.reason, check_name = excluded.check_name, suite = excluded.suite, scope = excluded.scope,
    field = excluded.field, value = excluded.value, evidence_url = excluded.evidence_url,
    tried_at = excluded.tried_at, released_at = null
"""
RELEASE = """
update ops.held_tickets set released_at = clock_timestamp(), tried_at = clock_timestamp()
where source_system = %s and ticket_id = %s and released_at is null
"""
HELD = """
select held.source_system, held.ticket_id, held.suite, held.tried_at, landed.landed_at
from ops.held_tickets as held
left join landing.ticket_signals as landed using (source_system, ticket_id)
where held.released_at is null
"""
BATCH = """
select batch_rows.source_system, batch_rows.ticket_id, batch_rows.account_id, held.scope
from ({batch}) as batch_rows
left join ops.held_tickets as held
    on held.source_system = batch_rows.source_system and held.ticket_id = batch_rows.ticket_id and held.released_at is null
"""
STANDING = """
select check_name, source_system, ticket_id, field, value, evidence_url
from ops.held_tickets
where suite = %s and released_at is null
order by held_at
"""
REMEMBER = """
insert into ops.gate_checks (suite, check_name, severity, owner, outcome, affected, since, checked_at, alerted_at)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
on conflict (suite, check_name) do update set
    severity = excluded.severity, owner = excluded.owner, outcome = excluded.outcome, affected = excluded.affected,
    since = excluded.since, checked_at = excluded.checked_at, alerted_at = excluded.alerted_at
"""
OUTBOX = "insert into ops.alert_outbox (fingerprint, state, severity, owner, summary, details) values (%s, %s, %s, %s, %s, %s)"


def held_tickets(connection: Connection) -> list[Held]:
    """Everything held and not released."""
    return [Held(*row) for row in connection.execute(HELD)]


def standing_holds(connection: Connection, suite: str) -> dict[str, list[FailingRow]]:
    """The rows that a suite's checks hold, by check name."""
    found: dict[str, list[FailingRow]] = {}
    for check_name, *row in connection.execute(STANDING, [suite]):
        found.setdefault(check_name, []).append(FailingRow(*row))
    return found


def change_holds(connection: Connection, holds: Iterable[Hold], releases: Iterable[Ticket]) -> None:
    """Hold and release, in one transaction."""
    rows = [
        (
            hold.source_system,
            hold.ticket_id,
            hold.reason,
            hold.check_name,
            hold.suite,
            hold.scope,
            hold.field,
            hold.value,
            hold.evidence_url,
        )
        for hold in holds
    ]
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(RELEASE, list(releases))
        cursor.executemany(HOLD, rows)


def batch_tickets(connection: Connection, batch: str) -> list[BatchTicket]:
    """The tickets of a batch, with the groups they belong to and what holds them already."""
    return [BatchTicket(*row) for row in connection.execute(BATCH.format(batch=batch).encode())]


def known_checks(connection: Connection) -> dict[str, Known]:
    """What is known of each check, by id."""
    rows = connection.execute("select suite, check_name, outcome, severity, since, alerted_at from ops.gate_checks")
    return {f"{suite}:{name}": Known(*rest) for suite, name, *rest in rows}


def suites_to_be_told(connection: Connection, results: Sequence[CheckResult], now: datetime, repeat: timedelta) -> set[str]:
    """The suites of which `write_results` would put a firing alert into the outbox."""
    remembered = remember(results, known_checks(connection), now, repeat, {})
    return {item.result.check.suite for item in remembered if item.alert and item.alert.state == "firing"}


def write_results(
    connection: Connection,
    results: Sequence[CheckResult],
    now: datetime,
    repeat: timedelta,
    data_docs: Mapping[str, str],
) -> None:
    """Remember the results and put what they give rise to into the outbox. Runs in the caller's transaction."""
    remembered = remember(results, known_checks(connection), now, repeat, data_docs)
    with connection.cursor() as cursor:
        cursor.executemany(REMEMBER, [memory_row(item, now) for item in remembered])
        cursor.executemany(OUTBOX, [outbox_row(item.alert) for item in remembered if item.alert])


def memory_row(item: Remembered, now: datetime) -> tuple[object, ...]:
    check, result = item.result.check, item.result
    known = (check.suite, check.name, check.severity, check.owner, result.outcome, result.affected)
    return (*known, item.since, now, item.alerted_at)


def outbox_row(alert: Alert) -> tuple[str, str, str, str, str, str]:
    return alert.fingerprint, alert.state, alert.severity, alert.owner, alert.summary, json.dumps(alert.details)
