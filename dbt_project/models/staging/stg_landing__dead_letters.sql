-- Grain: one row per distinct record that could not be applied.
select
    dead_letter_id,
    table_name,
    reason,
    source_system,
    ticket_id,
    idempotency_key,
    version,
    content_hash,
    status,
    times_seen,
    first_seen_at,
    last_seen_at
from {{ source('landing', 'dead_letters') }}
