"""Objectives: what was measured, on a grid of seconds for the alerts and summed into slices for budgets and reports."""

from alembic import op

revision = "0007"
down_revision = "0006"

SAMPLES = """
create table ops.objective_samples (
    objective text not null,
    sampled_at timestamptz not null,
    seconds double precision not null,
    value double precision,
    is_bad boolean not null,
    primary key (objective, sampled_at)
);
create index on ops.objective_samples (sampled_at);
comment on table ops.objective_samples is
    'One row per objective and sample of the last two days; value null: no answer; seconds: the time it stands for.';

create table ops.objective_slices (
    objective text not null,
    slice_at timestamptz not null,
    measured_seconds double precision not null,
    bad_seconds double precision not null,
    value_count bigint not null,
    value_sum double precision not null,
    value_max double precision,
    primary key (objective, slice_at)
);
comment on table ops.objective_slices is
    'One row per objective and five minutes: the samples of that time summed. Error budgets and reports read these.';

create table ops.consumed_samples (
    slice_at timestamptz primary key,
    applied bigint not null,
    duplicate bigint not null,
    stale bigint not null,
    conflict bigint not null,
    rejected bigint not null,
    deleted bigint not null
);
comment on table ops.consumed_samples is
    'One row per five minutes: the counters of landing.consumed_records over all partitions, as they stood then.';
"""


def upgrade() -> None:
    op.execute(SAMPLES)
