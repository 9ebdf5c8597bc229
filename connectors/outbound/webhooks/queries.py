"""The statements of the webhook queue; %s are columns for unnest."""

from typing import LiteralString

REGISTER: LiteralString = """
insert into ops.webhook_subscriptions (subscription)
select unnest(%(names)s::text[])
on conflict do nothing
"""

GIVE_UP_UNSUBSCRIBED: LiteralString = """
update ops.webhook_deliveries
set state = 'dead', finished_at = clock_timestamp(), last_error = 'the subscription is no longer in the file'
where state = 'waiting' and subscription <> all(%(names)s::text[])
"""

END_ALERTS: LiteralString = """
insert into ops.alert_outbox (fingerprint, state, severity, owner, summary, details)
select
    format('webhooks:%%s:%%s', kind, subscription), 'ok', 'warning', 'data-platform',
    format('Webhook subscription %%s is no longer in the file.', subscription), '{}'
from ops.webhook_subscriptions
cross join unnest(alerts) as kind
where subscription <> all(%(names)s::text[])
"""

UNREGISTER: tuple[LiteralString, ...] = (
    END_ALERTS,
    "delete from ops.webhook_tickets where subscription <> all(%(names)s::text[])",
    "delete from ops.webhook_subscriptions where subscription <> all(%(names)s::text[])",
)

STANDINGS: LiteralString = """
select subscription, state, registered_at, resumed_at, failures, opened_at, rest_until, alerts
from ops.webhook_subscriptions
"""

POSITIONS: LiteralString = "select kafka_partition, next_offset from ops.webhook_positions where topic = %s"

HEARD: LiteralString = """
select heard.source_system, heard.ticket_id, heard.sequence
from unnest(%s::text[], %s::text[]) as asked (source_system, ticket_id)
inner join ops.webhook_sequences as heard using (source_system, ticket_id)
where heard.topic = %s
"""

HEAR: LiteralString = """
insert into ops.webhook_sequences (topic, source_system, ticket_id, sequence)
select * from unnest(%s::text[], %s::text[], %s::text[], %s::text[])
on conflict (topic, source_system, ticket_id) do update
set sequence = excluded.sequence, heard_at = excluded.heard_at
"""

TOLD: LiteralString = """
select told.subscription, told.source_system, told.ticket_id
from unnest(%s::text[], %s::text[]) as asked (source_system, ticket_id)
inner join ops.webhook_tickets as told using (source_system, ticket_id)
where told.subscription = any(%s::text[])
"""

# A message behind a postponed one of its ticket waits as long, so that a look at what is due does not see it.
ENQUEUE: LiteralString = """
insert into ops.webhook_deliveries (
    subscription, source_system, ticket_id, message_id, kind, idempotency_key, body, not_before
)
select
    new.subscription, new.source_system, new.ticket_id, new.message_id, new.kind, new.idempotency_key, new.body,
    greatest(clock_timestamp(), (
        select max(earlier.not_before)
        from ops.webhook_deliveries as earlier
        where
            earlier.subscription = new.subscription
            and earlier.source_system = new.source_system
            and earlier.ticket_id = new.ticket_id
            and earlier.state = 'waiting'
    ))
from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[]) with ordinality
    as new (subscription, source_system, ticket_id, message_id, kind, idempotency_key, body, place)
order by new.place
on conflict (subscription, message_id) do nothing
"""

ERASE: LiteralString = """
update ops.webhook_deliveries as delivery
set
    body = null,
    state = case when delivery.state in ('waiting', 'dead') then 'erased' else delivery.state end,
    finished_at = coalesce(delivery.finished_at, clock_timestamp())
from unnest(%s::text[], %s::text[]) as ended (source_system, ticket_id)
where
    delivery.source_system = ended.source_system
    and delivery.ticket_id = ended.ticket_id
    and delivery.kind = 'cx.signal.changed'
    and delivery.body is not null
"""

HOLD: LiteralString = """
insert into ops.webhook_tickets (subscription, source_system, ticket_id)
select * from unnest(%s::text[], %s::text[], %s::text[])
on conflict do nothing
"""

FORGET: LiteralString = """
delete from ops.webhook_tickets as told
using unnest(%s::text[], %s::text[], %s::text[]) as ended (subscription, source_system, ticket_id)
where
    told.subscription = ended.subscription
    and told.source_system = ended.source_system
    and told.ticket_id = ended.ticket_id
"""

MOVE_ON: LiteralString = """
insert into ops.webhook_positions (topic, kafka_partition, next_offset)
select * from unnest(%s::text[], %s::integer[], %s::bigint[])
on conflict (topic, kafka_partition) do update set next_offset = excluded.next_offset
"""

CLAIM: LiteralString = """
select delivery_id, source_system, ticket_id, message_id, body, attempts, queued_at
from ops.webhook_deliveries as delivery
where
    delivery.subscription = %(subscription)s
    and delivery.state = 'waiting'
    and delivery.not_before <= clock_timestamp()
    and exists (
        select from ops.webhook_subscriptions as subscription
        where subscription.subscription = delivery.subscription and subscription.state = 'active'
    )
    and not exists (
        select from ops.webhook_deliveries as earlier
        where
            earlier.subscription = delivery.subscription
            and earlier.source_system = delivery.source_system
            and earlier.ticket_id = delivery.ticket_id
            and earlier.state = 'waiting'
            and earlier.delivery_id < delivery.delivery_id
    )
    and not exists (
        select from unnest(%(systems)s::text[], %(tickets)s::text[]) as flying (source_system, ticket_id)
        where flying.source_system = delivery.source_system and flying.ticket_id = delivery.ticket_id
    )
order by delivery.not_before, delivery.delivery_id
limit %(most)s
"""

# A delivery that was erased while it was in flight stays erased.
FINISH: LiteralString = """
update ops.webhook_deliveries as delivery
set
    state = done.state,
    attempts = delivery.attempts + 1,
    finished_at = clock_timestamp(),
    last_error = case when done.state = 'dead' then done.said else delivery.last_error end
from unnest(%s::bigint[], %s::text[], %s::text[]) as done (delivery_id, state, said)
where delivery.delivery_id = done.delivery_id and delivery.state = 'waiting'
"""

COUNT_ATTEMPT: LiteralString = """
update ops.webhook_deliveries
set attempts = attempts + 1, last_error = %(said)s
where delivery_id = %(delivery_id)s and state = 'waiting'
"""

POSTPONE: LiteralString = """
update ops.webhook_deliveries
set not_before = greatest(not_before, %(not_before)s)
where
    subscription = %(subscription)s
    and source_system = %(system)s
    and ticket_id = %(ticket)s
    and state = 'waiting'
"""

NOTE: LiteralString = """
update ops.webhook_subscriptions
set
    failures = %(failures)s,
    opened_at = %(opened_at)s,
    rest_until = %(rest_until)s,
    last_error = coalesce(%(said)s::text, last_error),
    last_error_at = case when %(said)s::text is null then last_error_at else clock_timestamp() end,
    last_delivered_at = case when %(delivered)s then clock_timestamp() else last_delivered_at end,
    state = case when %(gone)s then 'disabled' else state end,
    why = case when %(gone)s then 'the subscriber answered 410 Gone' else why end,
    state_since = case when %(gone)s and state <> 'disabled' then clock_timestamp() else state_since end
where subscription = %(subscription)s
"""
