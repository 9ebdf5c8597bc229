"""Alerts: incidents folded from the outbox, letters to send, the state of each channel, "not a problem" flags."""

from alembic import op

revision = "0003"
down_revision = "0002"

INCIDENTS = """
create table ops.incidents (
    incident_id bigint generated always as identity primary key,
    fingerprint text not null,
    severity text not null check (severity in ('critical', 'warning', 'info')),
    owner text not null,
    summary text not null,
    details jsonb not null,
    opened_at timestamptz not null,
    last_seen_at timestamptz not null,
    over_at timestamptz,
    over_by_silence boolean not null default false,
    occurrences bigint not null,
    reopened integer not null default 0,
    told_as text check (told_as in ('open', 'over')),
    told_severity text,
    told_at timestamptz,
    letters integer not null default 0,
    quiet_reason text
);
create unique index incidents_one_open_per_cause on ops.incidents (fingerprint) where over_at is null;
create index on ops.incidents (fingerprint, incident_id desc);
create index on ops.incidents (incident_id) where over_at is null or told_as = 'open';
comment on table ops.incidents is
    'One row per incident: a cause from its first notice until it was over. At most one is open per fingerprint. '
    'told_as is what readers heard last; quiet_reason says why nothing is told now.';

alter table ops.alert_outbox
    add column incident_id bigint references ops.incidents,
    add column outcome text;
create index on ops.alert_outbox (fingerprint, raised_at) where state = 'ok';
create index on ops.alert_outbox (fingerprint, alert_id);
create index on ops.alert_outbox (incident_id);
comment on column ops.alert_outbox.outcome is 'What the notice did: opened, updated, reopened, closed, or why it did nothing.';
"""

DELIVERIES = """
create table ops.alert_deliveries (
    delivery_id bigint generated always as identity primary key,
    channel text not null,
    kind text not null,
    incident_ids bigint[] not null,
    state text not null default 'waiting' check (state in ('waiting', 'sending', 'failed', 'delivered', 'grouped', 'refused')),
    not_before timestamptz not null,
    attempts integer not null default 0,
    may_repeat boolean not null default false,
    is_plain boolean not null default false,
    last_error text,
    created_at timestamptz not null default clock_timestamp(),
    delivered_at timestamptz
);
create index on ops.alert_deliveries (channel, delivery_id) where state in ('waiting', 'sending', 'failed');
create index on ops.alert_deliveries (channel, delivered_at) where state = 'delivered';
comment on table ops.alert_deliveries is
    'One row per letter. waiting: not sent yet; sending: right now; failed: the channel refuses, retried slowly; '
    'grouped: another letter says it; refused: Slack does not take even the plain form.';

create table ops.alert_channels (
    channel text primary key,
    state text not null check (state in ('working', 'retrying', 'broken')),
    since timestamptz not null,
    failures integer not null default 0,
    retry_at timestamptz,
    last_error text,
    last_delivered_at timestamptz
);
comment on table ops.alert_channels is
    'One row per Slack channel: working, retrying (rate limit, time-out, 5xx), or broken (what does not heal by itself).';
"""

FLAGS = """
create table ops.alert_flags (
    flag_id bigint generated always as identity primary key,
    incident_id bigint not null references ops.incidents,
    fingerprint text not null,
    flagged_by text not null,
    why text not null,
    via text not null check (via in ('link', 'command')),
    nonce text unique,
    flagged_at timestamptz not null default clock_timestamp()
);
create index on ops.alert_flags (incident_id);
comment on table ops.alert_flags is
    'One row per statement that an incident was not a problem: who, when, why. A signed link counts once (nonce).';

create view ops.alert_precision as
with flagged as (
    select incident_id, max(flagged_at) as last_flagged_at
    from ops.alert_flags
    group by incident_id
)
-- one row per cause (fingerprint of a check)
select
    incidents.fingerprint,
    count(*) as incidents,
    count(flagged.incident_id) as flagged,
    round(1 - count(flagged.incident_id)::numeric / count(*), 3) as precision,
    min(incidents.opened_at) as first_opened_at,
    max(incidents.opened_at) as last_opened_at,
    max(flagged.last_flagged_at) as last_flagged_at
from ops.incidents
left join flagged using (incident_id)
group by incidents.fingerprint;
comment on view ops.alert_precision is 'One row per cause: incidents, how many people flagged, and the share that was real.';

create view ops.alert_status as
with unread as (
    select count(*) as unread, min(raised_at) as oldest_unread_at
    from ops.alert_outbox
    where processed_at is null
),
open_incidents as (
    select
        count(*) as open_incidents,
        count(*) filter (where severity = 'critical') as open_critical,
        count(*) filter (where told_as is null) as open_untold
    from ops.incidents
    where over_at is null
),
waiting as (
    select count(*) as waiting, min(created_at) as oldest_waiting_at
    from ops.alert_deliveries
    where state in ('waiting', 'sending', 'failed')
),
channels as (
    select
        coalesce(array_agg(channel order by channel) filter (where state = 'broken'), '{}') as broken_channels,
        coalesce(array_agg(channel order by channel) filter (where state = 'retrying'), '{}') as retrying_channels,
        max(last_error) filter (where state <> 'working') as last_error
    from ops.alert_channels
)
-- one row: what `cx status` says about alerts
select unread.*, open_incidents.*, waiting.*, channels.*
from unread, open_incidents, waiting, channels;
comment on view ops.alert_status is 'One row: unread notices, open incidents, letters that wait, channels that do not answer.';
"""


def upgrade() -> None:
    op.execute(INCIDENTS)
    op.execute(DELIVERIES)
    op.execute(FLAGS)
