-- Grain: one row per account that changed, or that a changed ticket left or joined.
select account_id
from {{ ref('int_touched_keys') }}
where account_id is not null
union
select signals.account_id
from {{ ref('touched_tickets') }} as touched_tickets
inner join {{ ref('fct_ticket_signals') }} as signals
    on
        touched_tickets.source_system = signals.source_system
        and touched_tickets.ticket_id = signals.ticket_id
