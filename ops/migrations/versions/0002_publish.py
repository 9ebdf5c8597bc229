"""Gate and publish: the register of publications, what is held back, and what every cycle did.

`marts.publications` is what BI reads to know how old the numbers are; the rest is the publisher's own memory.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

PUBLICATIONS = """
create table marts.publications (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    watermark timestamptz,
    from_snapshot pg_snapshot,
    to_snapshot pg_snapshot not null,
    gate_result text not null check (gate_result in ('passed', 'warning')),
    checks jsonb not null default '{}',
    rows_changed jsonb not null default '{}'
);
create index on marts.publications (at);
grant select on marts.publications to bi_reader;
comment on table marts.publications is 'One row per publish: all marts changed together, in the transaction that wrote this row.';
comment on column marts.publications.watermark is 'Newest landed_at that the marts include.';
comment on column marts.publications.from_snapshot is 'Landing rows visible here were published before; null: all were new.';
comment on column marts.publications.to_snapshot is 'Landing rows visible in this snapshot are included.';
comment on column marts.publications.checks is 'Outcome per check: {"landing:evidence_url_is_a_link": "passed", ...}.';
comment on column marts.publications.rows_changed is
    'Rows written per mart: {"fct_evidence": {"inserted": 3, "updated": 1, "deleted": 0}, ...}.';
"""

HELD_TICKETS = """
create table ops.held_tickets (
    source_system text not null,
    ticket_id text not null,
    reason text not null,
    check_name text not null,
    suite text not null,
    scope text not null default 'ticket' check (scope in ('ticket', 'source_system', 'account_id')),
    field text,
    value text,
    evidence_url text,
    held_at timestamptz not null default clock_timestamp(),
    tried_at timestamptz not null default clock_timestamp(),
    released_at timestamptz,
    primary key (source_system, ticket_id)
);
comment on table ops.held_tickets is
    'One row per ticket whose newest state is kept out of the marts. released_at: it passed again, the next publish has it.';
comment on column ops.held_tickets.scope is 'Whether the ticket itself failed, or the source system or account it belongs to.';
comment on column ops.held_tickets.tried_at is 'When the ticket was last built and checked as a candidate.';
"""

CYCLES = """
create table ops.publish_cycles (
    cycle_id bigint generated always as identity primary key,
    started_at timestamptz not null,
    finished_at timestamptz not null default clock_timestamp(),
    outcome text not null check (outcome in ('published', 'held', 'error')),
    message text not null default '',
    publication_id bigint references marts.publications (id),
    from_snapshot pg_snapshot,
    to_snapshot pg_snapshot,
    watermark timestamptz,
    checks jsonb not null default '{}',
    stage_seconds jsonb not null default '{}'
);
create index on ops.publish_cycles (started_at);
comment on table ops.publish_cycles is 'One row per cycle that had something to do: what came of it, how long each stage took.';

create table ops.gate_checks (
    suite text not null,
    check_name text not null,
    severity text not null check (severity in ('critical', 'warning', 'info')),
    owner text not null,
    outcome text not null check (outcome in ('passed', 'failed', 'error')),
    affected bigint not null default 0,
    since timestamptz not null default clock_timestamp(),
    checked_at timestamptz not null default clock_timestamp(),
    alerted_at timestamptz,
    primary key (suite, check_name)
);
comment on table ops.gate_checks is
    'One row per check: its newest outcome, and since when. Suite "cycle": whether cycles can run at all.';
"""

VOLUME = """
create table ops.landed_hours (
    hour timestamptz not null,
    source_system text not null,
    versions bigint not null,
    primary key (hour, source_system)
);
comment on table ops.landed_hours is 'Published ticket versions per hour of landing: what later hours are compared with.';

create table ops.held_hours (
    hour timestamptz primary key
);
comment on table ops.held_hours is 'Hours in which the gate held a publish: incidents, left out when later hours are compared.';

-- The publisher asks every two seconds whether anything is new.
create index on landing.accounts (landed_xid);
create index on landing.tag_taxonomy (landed_xid);
"""


def upgrade() -> None:
    op.execute(PUBLICATIONS)
    op.execute(HELD_TICKETS)
    op.execute(CYCLES)
    op.execute(VOLUME)
