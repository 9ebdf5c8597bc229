"""Outbound: how far the relay has carried landing to the topics, and what the CRM was told.

Landing itself is the outbox: its rows name the transaction that wrote them, so the relay keeps no copy of a change, only
the snapshot it has carried out. Sequences order the records of a ticket; what a ticket says is forgotten with it.
"""

from alembic import op

revision = "0008"
down_revision = "0007"

RELAY = """
create table ops.outbound_relay (
    is_only boolean primary key default true check (is_only),
    epoch integer not null default 1 check (epoch between 1 and 65535),
    seen pg_snapshot not null,
    filling text check (filling in ('deleted', 'tickets')),
    filled_source_system text,
    filled_ticket_id text,
    until pg_snapshot,
    through xid8,
    records bigint not null default 0,
    updated_at timestamptz not null default clock_timestamp()
);
comment on table ops.outbound_relay is 'One row: what the topics cx.signals.* have been told. No payload.';
comment on column ops.outbound_relay.epoch is 'Grows when the topics are told everything anew; leads every sequence.';
comment on column ops.outbound_relay.seen is 'Every landing row visible in this snapshot is on the topics.';
comment on column ops.outbound_relay.filling is 'What the first filling of the topics is at; null: it is over.';
comment on column ops.outbound_relay.filled_ticket_id is 'The last ticket, with its source system, that the filling has told.';
comment on column ops.outbound_relay.until is 'The snapshot that the present window goes up to; null: no window is under way.';
comment on column ops.outbound_relay.through is 'Within the window, transactions up to this one are on the topics.';
"""

CRM = """
create table ops.crm_tickets (
    source_system text not null,
    ticket_id text not null,
    sequence text not null,
    account_id text,
    churn_risk text,
    driver text,
    evidence_url text,
    idempotency_key text,
    version bigint,
    primary key (source_system, ticket_id)
);
create index on ops.crm_tickets (account_id);
comment on table ops.crm_tickets is
    'One row per ticket that cx.signals.crm.v1 ever named: its newest state. A deleted one keeps its sequence only.';

create table ops.crm_accounts (
    account_id text primary key,
    wanted jsonb not null,
    sent jsonb,
    state text not null default 'waiting' check (state in ('waiting', 'sent', 'refused')),
    attempts integer not null default 0,
    due_at timestamptz not null default clock_timestamp(),
    confirm_at timestamptz,
    last_error text,
    sent_at timestamptz,
    changed_at timestamptz not null default clock_timestamp()
);
create index on ops.crm_accounts (due_at) where state = 'waiting';
create index on ops.crm_accounts (confirm_at) where confirm_at is not null;
comment on table ops.crm_accounts is 'One row per account: the flags its CRM record should have, and those it was sent.';
comment on column ops.crm_accounts.confirm_at is
    'When the flags are sent once more: an answer got lost, and an older request may still have been on its way.';
"""


def upgrade() -> None:
    op.execute(RELAY)
    op.execute(CRM)
