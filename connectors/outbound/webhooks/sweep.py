"""What is done beside sending: alerts, giving up what nobody takes, and forgetting what is long done."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import LiteralString

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from connectors.outbound.webhooks.alerts import Seen, news
from connectors.outbound.webhooks.queue import Queue
from connectors.outbound.webhooks.subscriptions import Subscription

KEPT = timedelta(days=7)
DEAD_KEPT = timedelta(days=30)
MOST_FINISHED = 100_000  # of each subscription, whatever their age

SEEN: LiteralString = """
with counted as (
    select
        subscription,
        count(*) filter (where state = 'waiting') as waiting,
        count(*) filter (where state = 'dead') as dead
    from ops.webhook_deliveries
    where state in ('waiting', 'dead')
    group by subscription
)
select
    subscription, state, why, opened_at, last_error, alerts,
    coalesce(counted.waiting, 0) as waiting, coalesce(counted.dead, 0) as dead
from ops.webhook_subscriptions
left join counted using (subscription)
"""

# Of a subscriber that is not served nothing is tried, so nothing would ever be given up.
GIVE_UP: LiteralString = """
update ops.webhook_deliveries as delivery
set state = 'dead', finished_at = clock_timestamp(), last_error = coalesce(delivery.last_error, 'not delivered in time')
from ops.webhook_subscriptions as subscription
where
    delivery.subscription = %(name)s
    and subscription.subscription = delivery.subscription
    and (subscription.state <> 'active' or subscription.opened_at is not null)
    and delivery.state = 'waiting'
    and delivery.queued_at < %(before)s
"""

PRUNE: LiteralString = """
delete from ops.webhook_deliveries
where
    (state in ('delivered', 'superseded', 'erased') and finished_at < %(done_before)s)
    or (state = 'dead' and finished_at < %(dead_before)s)
"""

FORGET_SEQUENCES: LiteralString = "delete from ops.webhook_sequences where heard_at < %(done_before)s"

PRUNE_MOST: LiteralString = """
delete from ops.webhook_deliveries
where
    subscription = %(name)s
    and state <> 'waiting'
    and delivery_id <= (
        select delivery_id
        from ops.webhook_deliveries
        where subscription = %(name)s and state <> 'waiting'
        order by delivery_id desc
        offset %(most)s
        limit 1
    )
"""

RAISE: LiteralString = """
insert into ops.alert_outbox (fingerprint, state, severity, owner, summary, details)
values (%s, %s, 'warning', %s, %s, %s)
"""


async def look(queue: Queue, subscriptions: Sequence[Subscription], now: datetime) -> list[Seen]:
    """Tell what is news about each subscription, in one transaction with the memory of having told it."""
    owners = {one.name: one.owner for one in subscriptions}
    async with queue.connection.transaction():
        async with queue.connection.cursor(row_factory=class_row(Seen)) as cursor:
            await cursor.execute(SEEN)
            seen = await cursor.fetchall()
        for one in seen:
            for alert in news(one, now):
                row = (alert.fingerprint, alert.state, owners.get(one.subscription, "data-platform"), alert.summary)
                await queue.connection.execute(RAISE, (*row, Jsonb(alert.details)))
                change: LiteralString = "array_append" if alert.state == "firing" else "array_remove"
                await queue.connection.execute(
                    f"update ops.webhook_subscriptions set alerts = {change}(alerts, %s) where subscription = %s",
                    (alert.kind, one.subscription),
                )
    return seen


async def give_up(queue: Queue, subscriptions: Sequence[Subscription], now: datetime) -> None:
    """Make dead letters of what waited longer than its subscription allows for a subscriber that is not served."""
    for one in subscriptions:
        await queue.connection.execute(GIVE_UP, {"name": one.name, "before": now - one.give_up_after})


async def prune(queue: Queue, subscriptions: Sequence[Subscription], now: datetime) -> None:
    """Forget what is done: after a week, dead letters after 30 days, and more than 100,000 of a subscription at once."""
    before = {"done_before": now - KEPT, "dead_before": now - DEAD_KEPT}
    await queue.connection.execute(PRUNE, before)
    await queue.connection.execute(FORGET_SEQUENCES, before)
    for one in subscriptions:
        await queue.connection.execute(PRUNE_MOST, {"name": one.name, "most": MOST_FINISHED})
