"""Updates of the latest rows in place: no index names the transaction that landed them, and their pages have room.

What landed is found by the history's index. Only a ticket whose latest row changed without a new version is listed.
"""

from alembic import op

revision = "0012"
down_revision = "0011"

RESTATED = """
create table landing.restated_tickets (
    source_system text not null,
    ticket_id text not null,
    landed_at timestamptz not null default clock_timestamp(),
    landed_xid xid8 not null default pg_current_xact_id(),
    primary key (source_system, ticket_id)
);
create index on landing.restated_tickets (landed_xid);
comment on table landing.restated_tickets is
    'One row per ticket whose latest row was once found anew without a version that landed with it: when that was last.';

insert into landing.restated_tickets
select latest.source_system, latest.ticket_id, latest.landed_at, latest.landed_xid
from landing.ticket_signals as latest
left join landing.ticket_signal_versions as version
    on latest.idempotency_key = version.idempotency_key and latest.landed_xid = version.landed_xid
where version.idempotency_key is null;
"""

IN_PLACE = """
drop index landing.ticket_signals_landed_xid_idx;
alter table landing.ticket_signals set (fillfactor = 50);
"""


def upgrade() -> None:
    op.execute(RESTATED)
    op.execute(IN_PLACE)
