"""The latest versions are looked up in the history instead of being written a second time.

Ticket and version are unique now: of two workers that write one version of a ticket the second finds a conflict.
"""

from alembic import op

revision = "0013"
down_revision = "0012"

# What engineers and dbt built over the table goes with it: views, which the publisher's next start and a `dbt build` make again.
LATEST = """
drop table landing.ticket_signals cascade;

create unique index ticket_signal_versions_place on landing.ticket_signal_versions (ticket_id, source_system, version);
drop index landing.ticket_signal_versions_source_system_ticket_id_version_idx;

create view landing.ticket_signals as
select version.*
from landing.ticket_signal_versions as version
where not exists (
    select
    from landing.ticket_signal_versions as newer
    where
        newer.source_system = version.source_system
        and newer.ticket_id = version.ticket_id
        and newer.version > version.version
);
comment on view landing.ticket_signals is 'One row per living ticket: its latest version.';

-- Stable, unlike clock_timestamp(): COPY writes row by row when a default is volatile.
alter table landing.ticket_signal_versions alter column landed_at set default statement_timestamp();

-- Outbound tickets are told in the order of the new index: one that is being filled begins anew.
update ops.outbound_relay set filled_source_system = '', filled_ticket_id = '' where filling = 'tickets';
"""


def upgrade() -> None:
    op.execute(LATEST)
