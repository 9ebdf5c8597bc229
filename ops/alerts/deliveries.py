"""The SQL of the letter queue: claim one before it is sent, settle it afterwards. Each step is its own transaction.

A letter is `sending` in the database before it leaves. A notifier that dies in between finds it again at its next start
and sends it once more, marked as a possible repeat: Slack cannot be asked whether it arrived.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from ops.alerts import ledger, retry
from ops.alerts.incidents import Incident
from ops.alerts.retry import Verdict

CHANNEL_STATES = {retry.RETRY: "retrying", retry.BROKEN: "broken"}


@dataclass(frozen=True)
class Claimed:
    """A letter that is about to be sent, with its incidents as they are now."""

    delivery_id: int
    channel: str
    kind: str
    may_repeat: bool
    is_plain: bool
    incidents: Sequence[Incident]
    failures: int  # of its channel, in a row


def recover(connection: Connection[Any]) -> None:
    """At start: letters that a dead notifier was sending wait again, and every channel gets a fresh try."""
    with connection.transaction():
        connection.execute("update ops.alert_deliveries set state = 'waiting', may_repeat = true where state = 'sending'")
        connection.execute("update ops.alert_channels set retry_at = null where retry_at is not null")


def claim(connection: Connection[Any], channel: str, now: datetime) -> Claimed | None:
    """The oldest letter that may go out now; None when there is none or the channel rests."""
    query = """
        update ops.alert_deliveries set state = 'sending', attempts = attempts + 1
        where delivery_id = (
            select delivery_id from ops.alert_deliveries
            where channel = %(channel)s and state in ('waiting', 'failed') and not_before <= %(now)s
                and not exists (select from ops.alert_channels where channel = %(channel)s and retry_at > %(now)s)
            order by delivery_id limit 1
        )
        returning delivery_id, channel, kind, may_repeat, is_plain, incident_ids"""
    with connection.transaction():
        row = connection.execute(query, {"channel": channel, "now": now}).fetchone()
        if row is None:
            return None
        known = connection.execute("select failures from ops.alert_channels where channel = %s", (channel,)).fetchone()
        delivery_id, channel, kind, may_repeat, is_plain, incident_ids = row
        incidents, failures = ledger.by_id(connection, incident_ids), known[0] if known else 0
        return Claimed(delivery_id, channel, kind, may_repeat, is_plain, incidents, failures)


def settle(connection: Connection[Any], claimed: Claimed, verdict: Verdict, now: datetime) -> None:
    """Record what came of it: on the letter, on its channel, and on what the readers of its incidents now know."""
    with connection.transaction():
        state = {retry.BROKEN: "failed", retry.DELIVERED: "delivered", retry.REFUSED: "refused"}.get(verdict.result, "waiting")
        connection.execute(
            """
            update ops.alert_deliveries set state = %(state)s, last_error = %(reason)s, is_plain = is_plain or %(plain)s,
                may_repeat = may_repeat or %(repeat)s,
                delivered_at = case when %(state)s = 'delivered' then %(now)s::timestamptz end
            where delivery_id = %(id)s""",
            {"state": state, "reason": verdict.reason or None, "plain": verdict.result == retry.PLAIN,
             "repeat": verdict.may_have_arrived, "now": now, "id": claimed.delivery_id},
        )  # fmt: skip
        if state in ("delivered", "refused"):
            _told(connection, claimed.incidents, now)
        _channel(connection, claimed.channel, verdict, now)


def unsettle(connection: Connection[Any], claimed: Claimed) -> None:
    """Give a claimed letter back that was stopped in the middle: it may have arrived."""
    query = "update ops.alert_deliveries set state = 'waiting', may_repeat = true where delivery_id = %s and state = 'sending'"
    with connection.transaction():
        connection.execute(query, (claimed.delivery_id,))


def _told(connection: Connection[Any], incidents: Sequence[Incident], now: datetime) -> None:
    for incident in incidents:
        connection.execute(
            """
            update ops.incidents set told_as = %s, told_severity = %s, told_at = %s, letters = letters + 1
            where incident_id = %s""",
            ("open" if incident.is_open else "over", incident.severity, now, incident.incident_id),
        )


def _channel(connection: Connection[Any], channel: str, verdict: Verdict, now: datetime) -> None:
    state = CHANNEL_STATES.get(verdict.result, "working")
    connection.execute(
        """
        insert into ops.alert_channels as known (channel, state, since, failures, retry_at, last_error, last_delivered_at)
        values (%(channel)s, %(state)s, %(now)s, %(failed)s, %(retry_at)s, %(reason)s, %(delivered_at)s)
        on conflict (channel) do update set
            state = excluded.state,
            since = case when known.state = excluded.state then known.since else excluded.since end,
            failures = case when %(failed)s = 0 then 0 else known.failures + 1 end,
            retry_at = excluded.retry_at,
            last_error = excluded.last_error,
            last_delivered_at = coalesce(excluded.last_delivered_at, known.last_delivered_at)""",
        {"channel": channel, "state": state, "now": now, "failed": int(state != "working"),
         "retry_at": now + verdict.pause if verdict.pause else None, "reason": verdict.reason or None,
         "delivered_at": now if verdict.result == retry.DELIVERED else None},
    )  # fmt: skip
