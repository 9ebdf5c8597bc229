-- Grain: one row per ticket that once got an older version back as its latest.
select
    source_system,
    ticket_id,
    landed_at,
    landed_xid
from {{ source('landing', 'restated_tickets') }}
