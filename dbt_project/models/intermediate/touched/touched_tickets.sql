-- Grain: one row per ticket that may differ from what is published.
select distinct
    source_system,
    ticket_id
from {{ ref('int_touched_keys') }}
where ticket_id is not null
