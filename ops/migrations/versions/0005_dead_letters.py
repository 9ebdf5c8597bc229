"""The audit trail of dead letters: who replayed, edited or discarded which, and what the stream itself did to them.

Triggers keep it whole whoever writes: a letter that is removed leaves a row, one that is erased takes its edits along.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

ACTIONS = """
create table ops.dead_letter_actions (
    action_id bigint generated always as identity primary key,
    dead_letter_id bigint not null,
    action text not null check (action in ('replay', 'discard', 'resolved', 'erased', 'reopened', 'removed')),
    at timestamptz not null default clock_timestamp(),
    by text not null,
    why text not null default '',
    edits jsonb not null default '[]',
    outcome text not null,
    detail text not null default ''
);
create index on ops.dead_letter_actions (dead_letter_id, action_id);
comment on table ops.dead_letter_actions is
    'One row per thing done to a dead letter: by whom, why, which fields were edited, what came of it. Rows are never removed.';
comment on column ops.dead_letter_actions.edits is
    '[{"field", "old", "new"}, ...] of a replay; the values go when the letter''s ticket is deleted.';
"""

# Definer's rights: the worker may change letters, and knows nothing of schema ops beyond the outbox.
TRAIL = """
create function ops.trail_dead_letter() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    insert into ops.dead_letter_actions (dead_letter_id, action, by, why, outcome)
    values (
        old.dead_letter_id,
        case when tg_op = 'DELETE' then 'removed' when new.status = 'open' then 'reopened' else new.status end,
        session_user,
        case when tg_op = 'DELETE' then '' when new.status = 'open' then 'seen again' else coalesce(new.status_reason, '') end,
        case when tg_op = 'DELETE' then old.status else new.status end
    );
    if tg_op = 'UPDATE' and new.status = 'erased' then
        update ops.dead_letter_actions as action set
            detail = '',
            edits = (
                select coalesce(jsonb_agg(jsonb_build_object('field', edit -> 'field', 'old', null, 'new', null)), '[]')
                from jsonb_array_elements(action.edits) as edit
            )
        where action.dead_letter_id = old.dead_letter_id and (action.edits <> '[]' or action.detail <> '');
    end if;
    return null;
end $$;

create trigger trail_of_changes after update of status on landing.dead_letters
for each row when (new.status <> old.status and new.status in ('resolved', 'erased', 'open'))
execute function ops.trail_dead_letter();

create trigger trail_of_removals after delete on landing.dead_letters
for each row execute function ops.trail_dead_letter();
"""


def upgrade() -> None:
    op.execute(ACTIONS)
    op.execute(TRAIL)
