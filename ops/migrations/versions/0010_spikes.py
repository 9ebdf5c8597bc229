"""Spikes: drivers whose negative volume or churn share rose beyond what their hour and weekday explain."""

from alembic import op

revision = "0010"
down_revision = "0009"

SPIKES = """
create table ops.spikes (
    spike_id bigint generated always as identity primary key,
    driver text not null,
    owner text not null,
    metric text not null,
    hours integer not null,
    observed double precision not null,
    expected double precision not null,
    score double precision not null,
    window_end timestamptz not null,
    detected_at timestamptz not null default clock_timestamp(),
    calm_looks integer not null default 0,
    over_at timestamptz
);
create unique index spikes_one_open_per_driver on ops.spikes (driver) where over_at is null;
comment on table ops.spikes is
    'One row per spike of a driver, from the look that found it until it was calm. expected: what the hour of the week explains.';
"""


def upgrade() -> None:
    op.execute(SPIKES)
