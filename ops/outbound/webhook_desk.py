"""What a person may ask of webhooks: how they stand, pause, resume, send again, try one."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, LiteralString

import psycopg
from psycopg import Connection
from psycopg.rows import dict_row

from connectors.outbound.webhooks.messages import trial
from connectors.outbound.webhooks.posting import Poster
from connectors.outbound.webhooks.retry import Answer
from connectors.outbound.webhooks.subscriptions import Subscription

STANDING: LiteralString = """
with counted as (
    select
        subscription,
        count(*) filter (where state = 'waiting') as waiting,
        count(*) filter (where state = 'dead') as dead,
        count(*) filter (where state = 'delivered') as delivered,
        extract(epoch from clock_timestamp() - min(queued_at) filter (where state = 'waiting'))::float as oldest_seconds
    from ops.webhook_deliveries
    group by subscription
)
select
    subscription, state, why, state_since,
    case
        when rest_until > clock_timestamp() then 'open'
        when opened_at is not null then 'half open'
        else 'closed'
    end as circuit,
    opened_at, last_error, last_error_at, last_delivered_at,
    coalesce(waiting, 0) as waiting,
    coalesce(dead, 0) as dead,
    coalesce(delivered, 0) as delivered,
    oldest_seconds
from ops.webhook_subscriptions
left join counted using (subscription)
order by subscription
"""

CHANGE: LiteralString = """
update ops.webhook_subscriptions
set
    state = %(state)s,
    why = %(why)s,
    state_since = clock_timestamp(),
    resumed_at = case when %(state)s = 'active' then clock_timestamp() else resumed_at end,
    failures = case when %(state)s = 'active' then 0 else failures end,
    opened_at = case when %(state)s = 'active' then null else opened_at end,
    rest_until = case when %(state)s = 'active' then null else rest_until end
where subscription = %(name)s
returning true
"""

# The newest message of a ticket only: an older state sent after a newer one would undo it.
REPLAY: LiteralString = """
with asked as (
    select delivery.delivery_id, delivery.state, exists (
        select from ops.webhook_deliveries as later
        where
            later.subscription = delivery.subscription
            and later.source_system = delivery.source_system
            and later.ticket_id = delivery.ticket_id
            and later.delivery_id > delivery.delivery_id
            and later.state in ('waiting', 'delivered')
    ) as is_old
    from ops.webhook_deliveries as delivery
    where
        delivery.subscription = %(name)s
        and delivery.body is not null
        and delivery.state in ('dead', 'delivered')
        and (not %(dead)s or delivery.state = 'dead')
        and (%(ids)s::bigint[] = '{}' or delivery.delivery_id = any(%(ids)s::bigint[]))
        and (%(since)s::timestamptz is null or delivery.finished_at >= %(since)s)
        and (%(until)s::timestamptz is null or delivery.finished_at < %(until)s)
        and (%(system)s::text is null or (delivery.source_system = %(system)s and delivery.ticket_id = %(ticket)s))
),
changed as (
    update ops.webhook_deliveries as delivery
    set
        state = case when asked.is_old then 'superseded' else 'waiting' end,
        attempts = 0,
        not_before = clock_timestamp(),
        queued_at = case when asked.is_old then delivery.queued_at else clock_timestamp() end,
        finished_at = case when asked.is_old then delivery.finished_at end
    from asked
    where delivery.delivery_id = asked.delivery_id and not (asked.is_old and asked.state = 'delivered')
    returning delivery.state
)
select
    count(*) filter (where state = 'waiting') as again,
    (select count(*) from asked where is_old) as superseded
from changed
"""

ACT: LiteralString = "insert into ops.webhook_actions (subscription, action, by, why, deliveries) values (%s, %s, %s, %s, %s)"


@dataclass(frozen=True)
class Selection:
    """Which messages are sent again; all given conditions must hold."""

    dead: bool = False
    ids: Sequence[int] = ()
    since: datetime | None = None
    until: datetime | None = None
    ticket: tuple[str, str] | None = None


def standing(url: str) -> list[dict[str, Any]]:
    """Every subscription that the service knows."""
    with psycopg.connect(url, row_factory=dict_row, connect_timeout=5) as connection:
        return connection.execute(STANDING).fetchall()


def change_state(url: str, name: str, state: str, by: str, why: str) -> bool:
    """Pause or resume; False when the service does not know the subscription."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        known = connection.execute(CHANGE, {"name": name, "state": state, "why": why or None}).fetchone()
        if known:
            _note(connection, name, "resume" if state == "active" else "pause", by=by, why=why)
        return known is not None


def replay(url: str, name: str, selection: Selection, by: str, why: str) -> tuple[int, int]:
    """Queue messages again: how many, and how many stay because a newer state of their ticket was queued since."""
    system, ticket = selection.ticket or (None, None)
    values = {
        "name": name, "dead": selection.dead, "ids": list(selection.ids), "since": selection.since, "until": selection.until,
        "system": system, "ticket": ticket,
    }  # fmt: skip
    with psycopg.connect(url, connect_timeout=5) as connection:
        [again, superseded] = connection.execute(REPLAY, values).fetchall()[0]
        _note(connection, name, "replay", by=by, why=why, deliveries=again)
        return again, superseded


def _note(connection: Connection[Any], name: str, action: str, *, by: str, why: str, deliveries: int | None = None) -> None:
    connection.execute(ACT, (name, action, by, why, deliveries))


async def try_one(subscription: Subscription) -> Answer:
    """Post a signed test message, past the queue: what the subscriber answers."""
    message_id, body = trial(subscription, datetime.now(UTC), secrets.token_hex(8))
    async with Poster(subscription) as poster:
        return await poster.post(message_id, body)
