"""Webhooks: the newest record that was heard of each ticket, so that an older one has no effect."""

from alembic import op

revision = "0011"
down_revision = "0010"

SEQUENCES = """
create table ops.webhook_sequences (
    topic text not null,
    source_system text not null,
    ticket_id text not null,
    sequence text not null,
    heard_at timestamptz not null default clock_timestamp(),
    primary key (topic, source_system, ticket_id)
);
comment on table ops.webhook_sequences is
    'One row per topic and ticket: the greatest ce_sequence heard. Pruned when nothing was heard of the ticket for a week.';
"""


def upgrade() -> None:
    op.execute(SEQUENCES)
