"""Reconciliation, repair and backfill: what was compared, what differed, what was removed, what was read again.

No payload is kept here: a ticket that is deleted in the store leaves only its identity behind.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

RECONCILIATIONS = """
create table ops.reconciliations (
    reconciliation_id bigint generated always as identity primary key,
    table_name text not null,
    started_at timestamptz not null,
    finished_at timestamptz not null default clock_timestamp(),
    outcome text not null check (outcome in ('equal', 'different', 'error')),
    message text not null default '',
    store_rows bigint,
    warehouse_rows bigint,
    missing bigint not null default 0,
    extra bigint not null default 0,
    different bigint not null default 0,
    explained bigint not null default 0,
    dead_lettered bigint not null default 0,
    in_flight bigint not null default 0,
    version_gaps bigint not null default 0,
    repaired bigint not null default 0,
    verified_through timestamptz,
    stage_seconds jsonb not null default '{}'
);
create index on ops.reconciliations (table_name, reconciliation_id desc);
comment on table ops.reconciliations is 'One row per table and run of the reconciliation of store and warehouse.';
comment on column ops.reconciliations.verified_through is
    'The store''s clock: every change acknowledged there before is in the warehouse by value, or accounted for. Null: not so.';

create table ops.reconciliation_differences (
    reconciliation_id bigint not null references ops.reconciliations on delete cascade,
    identity text[] not null,
    kind text not null check (kind in ('missing', 'extra', 'different', 'in_flight')),
    reason text not null default '',
    column_names text[] not null default '{}',
    primary key (reconciliation_id, identity)
);
comment on table ops.reconciliation_differences is
    'One row per row that differed in a run, the first 1,000 of each: which columns, never their values. Kept for 90 days.';
"""

REPAIRS = """
create table ops.repairs (
    repair_id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    reconciliation_id bigint references ops.reconciliations on delete set null,
    table_name text not null,
    identity text[] not null,
    action text not null check (action in ('removed_latest', 'removed_version', 'rebuilt_latest', 'ended_life', 'voided_row',
                                           'removed_tombstone')),
    idempotency_key text,
    version bigint,
    content_hash bytea,
    source_positions numeric(39)[],
    reason text not null
);
create index on ops.repairs (table_name, identity);
comment on table ops.repairs is
    'One row per landing row that a repair removed or rewrote, before the store was read again: which, why, never its payload.';
"""

BACKFILLS = """
create table ops.backfills (
    backfill_id text primary key,
    table_name text not null,
    row_filter text not null default '',
    requested_at timestamptz not null default clock_timestamp(),
    rows_expected bigint not null,
    start_offsets jsonb not null,
    rows_landed bigint not null default 0,
    state text not null default 'running' check (state in ('running', 'paused', 'finished')),
    updated_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz
);
comment on table ops.backfills is
    'One row per requested incremental snapshot: how many rows the store held then, and how many of its reads have landed.';
"""


def upgrade() -> None:
    op.execute(RECONCILIATIONS)
    op.execute(REPAIRS)
    op.execute(BACKFILLS)
