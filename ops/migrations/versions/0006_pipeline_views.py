"""What BI may know of the pipeline itself: views in `marts`, so that bi_reader needs no other schema.

Views and not marts: a held gate keeps the marts as they are, and that it holds is exactly what a reader then has to see.
They show identities, reasons, counts and times; never a payload, a value or a quote.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

CYCLES = """
create view marts.pipeline_cycles as
-- one row per cycle that had something to do, of the last 14 days
select
    cycle_id,
    started_at,
    finished_at,
    round(extract(epoch from finished_at - started_at), 3) as cycle_seconds,
    outcome,
    case when outcome <> 'published' then message end as hindrance,
    publication_id,
    watermark
from ops.publish_cycles;
comment on view marts.pipeline_cycles is 'One row per publish cycle: published, held by the gate, or not able to run.';
comment on column marts.pipeline_cycles.hindrance is 'Why nothing was published; null when it was.';

create view marts.pipeline_gate_checks as
-- one row per check of the gate
select suite, check_name, severity, owner, outcome, affected as affected_rows, since, checked_at
from ops.gate_checks;
comment on view marts.pipeline_gate_checks is 'One row per check of the gate: its newest outcome, and since when it says so.';

create view marts.pipeline_held_tickets as
-- one row per ticket whose newest state is kept out of the marts
select source_system, ticket_id, suite, check_name, scope, field, held_at
from ops.held_tickets
where released_at is null;
comment on view marts.pipeline_held_tickets is 'One row per ticket whose newest state waits: the marts show its last good one.';
"""

STREAM = """
create view marts.pipeline_dead_letters as
-- one row per distinct record that could not be applied
select
    dead_letter_id, table_name, reason, status, remedy, source_system, ticket_id, version, times_seen,
    first_seen_at, last_seen_at, status_at
from landing.dead_letters;
comment on view marts.pipeline_dead_letters is
    'One row per distinct record that could not be applied: reason, remedy, state; no payload.';

create view marts.pipeline_reconciliations as
-- one row per table and comparison of store and warehouse
select
    reconciliation_id,
    table_name,
    started_at,
    finished_at,
    outcome,
    store_rows,
    warehouse_rows,
    missing + extra + different as unexplained_rows,
    explained as explained_rows,
    dead_lettered as dead_lettered_rows,
    in_flight as in_flight_rows,
    repaired as repaired_rows,
    verified_through
from ops.reconciliations;
comment on view marts.pipeline_reconciliations is 'One row per table and comparison of store and warehouse.';
comment on column marts.pipeline_reconciliations.unexplained_rows is
    'Rows that are missing, extra or different without a known reason.';
"""

ALERTS = """
create view marts.pipeline_alert_precision as
-- one row per cause of alerts
select
    fingerprint as cause, incidents, flagged as flagged_incidents, precision as real_share, first_opened_at, last_opened_at
from ops.alert_precision;
comment on view marts.pipeline_alert_precision is
    'One row per cause: incidents, how many of them people flagged as not a problem, and the share that was real.';

grant select on
    marts.pipeline_cycles, marts.pipeline_gate_checks, marts.pipeline_held_tickets, marts.pipeline_dead_letters,
    marts.pipeline_reconciliations, marts.pipeline_alert_precision
to bi_reader;
"""


def upgrade() -> None:
    op.execute(CYCLES)
    op.execute(STREAM)
    op.execute(ALERTS)
