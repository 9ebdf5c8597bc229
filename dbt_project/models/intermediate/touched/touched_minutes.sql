-- Grain: one row per minute in which a version landed whose latency may differ.
select landed_minute
from {{ ref('int_touched_keys') }}
where landed_minute is not null
union
select versions.landed_minute
from {{ ref('touched_tickets') }} as touched_tickets
inner join {{ ref('fct_ticket_signal_versions') }} as versions
    on
        touched_tickets.source_system = versions.source_system
        and touched_tickets.ticket_id = versions.ticket_id
