"""The enrichment store: the three captured tables, the heartbeat, the signal table and their publication.

Columns take whatever an enrichment worker writes: the contract is checked where the data is read, not here.
"""

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
create schema if not exists enrichment;

create table enrichment.ticket_signals (
    event_id uuid,
    occurred_at timestamptz,
    source_system text not null,
    ticket_id text not null,
    account_id text,
    sentiment text,
    sentiment_score numeric,
    churn_risk text,
    effort text,
    raw_tags text[],
    canonical_tag text,
    driver text,
    custom_metrics jsonb,
    evidence_url text,
    evidence_quote text,
    idempotency_key text,
    version bigint,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (source_system, ticket_id)
);

create table enrichment.tag_taxonomy (
    raw_tag text primary key,
    canonical_tag text,
    driver text,
    owner text,
    updated_at timestamptz not null default clock_timestamp()
);

create table enrichment.accounts (
    account_id text primary key,
    name text,
    plan text,
    segment text,
    owner text,
    updated_at timestamptz not null default clock_timestamp()
);

-- Debezium upserts one row here every 10 s: an idle table on a busy server would otherwise retain WAL for ever.
create table enrichment.cdc_heartbeat (
    id integer primary key,
    beat_at timestamptz not null
);

-- Debezium reads its signals (incremental snapshots) here.
create table enrichment.cdc_signal (
    id text primary key,
    type text not null,
    data text
);
"""

# Unchanged TOAST values and the rows of deletes arrive whole only under full replica identity.
CAPTURE = """
alter table enrichment.ticket_signals replica identity full;
alter table enrichment.tag_taxonomy replica identity full;
alter table enrichment.accounts replica identity full;

create publication cx_enrichment for table
    enrichment.ticket_signals,
    enrichment.tag_taxonomy,
    enrichment.accounts,
    enrichment.cdc_heartbeat,
    enrichment.cdc_signal;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(CAPTURE)
