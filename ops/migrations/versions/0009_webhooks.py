"""Webhooks: how far the topics were read, what each subscription is still to be told, and how each subscriber answers."""

from alembic import op

revision = "0009"
down_revision = "0008"

SUBSCRIPTIONS = """
create table ops.webhook_subscriptions (
    subscription text primary key,
    state text not null default 'active' check (state in ('active', 'paused', 'disabled')),
    why text,
    state_since timestamptz not null default clock_timestamp(),
    registered_at timestamptz not null default clock_timestamp(),
    resumed_at timestamptz not null default clock_timestamp(),
    failures integer not null default 0,
    opened_at timestamptz,
    rest_until timestamptz,
    last_error text,
    last_error_at timestamptz,
    last_delivered_at timestamptz,
    alerts text[] not null default '{}'
);
comment on table ops.webhook_subscriptions is
    'One row per subscription of the file: whether it is served, and its circuit. Told is what lands after registered_at.';
comment on column ops.webhook_subscriptions.alerts is 'What is firing about it at the moment: circuit, disabled, dead.';

create table ops.webhook_positions (
    topic text not null,
    kafka_partition integer not null,
    next_offset bigint not null,
    primary key (topic, kafka_partition)
);
comment on table ops.webhook_positions is
    'One row per partition: the first record that is not queued yet. Moves on in the transaction that queues.';

create table ops.webhook_tickets (
    subscription text not null,
    source_system text not null,
    ticket_id text not null,
    primary key (subscription, source_system, ticket_id)
);
comment on table ops.webhook_tickets is
    'One row per ticket that a subscription with a filter was told of and that still passes it: who is to hear that it left.';
"""

DELIVERIES = """
create table ops.webhook_deliveries (
    delivery_id bigint generated always as identity primary key,
    subscription text not null,
    source_system text not null,
    ticket_id text not null,
    message_id text not null,
    kind text not null,
    idempotency_key text not null,
    body bytea,
    state text not null default 'waiting' check (state in ('waiting', 'delivered', 'dead', 'superseded', 'erased')),
    attempts integer not null default 0,
    not_before timestamptz not null,
    queued_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    last_error text,
    unique (subscription, message_id)
);
create index on ops.webhook_deliveries (subscription, not_before, delivery_id) where state = 'waiting';
create index on ops.webhook_deliveries (subscription, source_system, ticket_id, delivery_id) where state = 'waiting';
create index on ops.webhook_deliveries (source_system, ticket_id);
create index on ops.webhook_deliveries (finished_at) where state <> 'waiting';
create index on ops.webhook_deliveries (subscription) where state = 'dead';
comment on table ops.webhook_deliveries is
    'One row per message of a subscription, in the order of delivery_id within a ticket. dead: given up, can be replayed; '
    'superseded: a later state of the ticket was delivered; erased: its ticket was deleted first. Finished rows are pruned.';

create table ops.webhook_actions (
    action_id bigint generated always as identity primary key,
    subscription text not null,
    action text not null,
    by text not null,
    why text not null default '',
    deliveries bigint,
    acted_at timestamptz not null default clock_timestamp()
);
comment on table ops.webhook_actions is 'One row per thing a person did to a subscription: pause, resume, replay.';
"""


def upgrade() -> None:
    op.execute(SUBSCRIPTIONS)
    op.execute(DELIVERIES)
