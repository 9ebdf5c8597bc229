"""Landing: what the stream writes. History of versions, latest per ticket, tombstones, dead letters, accounting.

Every row carries `landed_xid`, the transaction that wrote it: a reader who remembers the snapshot it read last gets
exactly the rows it has not seen, whatever order the transactions committed in.
"""

from alembic import op

revision = "0001"
down_revision = None

SIGNAL_COLUMNS = """
    event_id uuid not null,
    occurred_at timestamptz not null,
    source_system text not null,
    ticket_id text not null,
    account_id text,
    sentiment text not null,
    sentiment_score numeric,
    churn_risk text not null,
    effort text not null,
    raw_tags text[] not null,
    canonical_tag text,
    driver text,
    custom_metrics jsonb not null,
    evidence_url text not null,
    evidence_quote text,
    idempotency_key text not null,
    version bigint not null,
    updated_at timestamptz,
    content_hash bytea not null,
    source_positions numeric(39)[] not null,
    kafka_partition integer not null,
    kafka_offset bigint not null,
    store_committed_at timestamptz,
    captured_at timestamptz,
    landed_at timestamptz not null default clock_timestamp(),
    landed_xid xid8 not null default pg_current_xact_id()
"""

LANDED = """
    content_hash bytea not null,
    source_position numeric(39) not null,
    is_deleted boolean not null default false,
    landed_at timestamptz not null default clock_timestamp(),
    landed_xid xid8 not null default pg_current_xact_id()
"""

LANDING = f"""
create schema landing;

create table landing.ticket_signal_versions ({SIGNAL_COLUMNS}, primary key (idempotency_key));
create index on landing.ticket_signal_versions (source_system, ticket_id, version);
create index on landing.ticket_signal_versions (landed_xid);
comment on table landing.ticket_signal_versions is 'One row per idempotency key: every version of every living ticket.';

create table landing.ticket_signals ({SIGNAL_COLUMNS}, primary key (source_system, ticket_id));
create index on landing.ticket_signals (landed_xid);
comment on table landing.ticket_signals is 'One row per living ticket: its latest version.';

create table landing.deleted_tickets (
    source_system text not null,
    ticket_id text not null,
    deleted_position numeric(39) not null,
    deleted_at timestamptz,
    landed_at timestamptz not null default clock_timestamp(),
    landed_xid xid8 not null default pg_current_xact_id(),
    primary key (source_system, ticket_id)
);
create index on landing.deleted_tickets (landed_xid);
comment on table landing.deleted_tickets is
    'One row per ticket that was ever deleted: every event at or before deleted_position is over. No payload.';

create table landing.tag_taxonomy (
    raw_tag text primary key,
    canonical_tag text,
    driver text,
    owner text,
    updated_at timestamptz, {LANDED}
);
comment on table landing.tag_taxonomy is 'One row per raw tag: its latest mapping. is_deleted rows are tombstones.';

create table landing.accounts (
    account_id text primary key,
    name text,
    plan text,
    segment text,
    owner text,
    updated_at timestamptz, {LANDED}
);
comment on table landing.accounts is 'One row per account: its latest state. is_deleted rows are tombstones without payload.';

create table landing.dead_letters (
    dead_letter_id bigint generated always as identity primary key,
    fingerprint bytea not null unique,
    table_name text not null,
    reason text not null,
    detail text not null,
    remedy text not null,
    source_system text,
    ticket_id text,
    idempotency_key text,
    version bigint,
    content_hash bytea,
    source_positions numeric(39)[],
    topic text not null,
    kafka_partition integer not null,
    kafka_offset bigint not null,
    last_offset bigint not null,
    record_key bytea,
    payload bytea,
    times_seen bigint not null default 1,
    first_seen_at timestamptz not null default clock_timestamp(),
    last_seen_at timestamptz not null default clock_timestamp(),
    status text not null default 'open' check (status in ('open', 'replayed', 'discarded', 'resolved', 'erased')),
    status_reason text,
    status_at timestamptz,
    published_at timestamptz
);
create index on landing.dead_letters (source_system, ticket_id);
create index on landing.dead_letters (dead_letter_id) where published_at is null;
create index on landing.dead_letters (dead_letter_id) where reason = 'conflict' and status = 'open';
create index on landing.dead_letters (idempotency_key) where reason = 'conflict';
comment on table landing.dead_letters is
    'One row per distinct record that could not be applied: reason, first origin, payload, remedy and how often it was seen.';

create table landing.consumed_records (
    topic text not null,
    kafka_partition integer not null,
    first_offset bigint not null,
    next_offset bigint not null,
    applied bigint not null default 0,
    duplicate bigint not null default 0,
    stale bigint not null default 0,
    conflict bigint not null default 0,
    rejected bigint not null default 0,
    deleted bigint not null default 0,
    redelivered bigint not null default 0,
    missing bigint not null default 0,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (topic, kafka_partition)
);
comment on table landing.consumed_records is
    'One row per partition: outcomes of all records read. Sum of outcomes - redelivered + missing = next_offset - first_offset.';

create table landing.schema_drifts (
    table_name text not null,
    kind text not null,
    column_name text not null,
    first_seen_at timestamptz not null default clock_timestamp(),
    primary key (table_name, kind, column_name)
);

create table landing.breaker (
    is_open boolean not null,
    changed_at timestamptz not null default clock_timestamp()
);
create unique index on landing.breaker ((true));
insert into landing.breaker (is_open) values (false);
comment on table landing.breaker is 'One row: whether the stream stopped because nearly every record was rejected.';

comment on table landing.schema_drifts is 'One row per difference between the store and the contract that was ever alerted.';
"""

ALERTS = """
create schema ops;

create table ops.alert_outbox (
    alert_id bigint generated always as identity primary key,
    fingerprint text not null,
    state text not null check (state in ('firing', 'ok')),
    severity text not null check (severity in ('critical', 'warning', 'info')),
    owner text not null,
    summary text not null,
    details jsonb not null default '{}',
    raised_at timestamptz not null default clock_timestamp(),
    processed_at timestamptz
);
create index on ops.alert_outbox (alert_id) where processed_at is null;
comment on table ops.alert_outbox is
    'One row per thing noticed, written in the transaction that noticed it. fingerprint: the cause; state ok: it is over.';
"""

READER = """
do $$ begin
    create role bi_reader nologin;
exception when duplicate_object then null;
end $$;

create schema marts;
grant usage on schema marts to bi_reader;
alter default privileges in schema marts grant select on tables to bi_reader;
"""


def upgrade() -> None:
    op.execute(LANDING)
    op.execute(ALERTS)
    op.execute(READER)
