-- Grain: one row per ticket whose latest row was once found anew without a version that landed with it.
select
    source_system,
    ticket_id,
    landed_at,
    landed_xid
from {{ source('landing', 'restated_tickets') }}
