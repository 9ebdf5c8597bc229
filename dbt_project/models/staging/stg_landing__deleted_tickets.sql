-- Grain: one row per ticket that was ever deleted; it may live again.
select
    source_system,
    ticket_id,
    deleted_position,
    deleted_at,
    landed_at,
    landed_xid
from {{ source('landing', 'deleted_tickets') }}
