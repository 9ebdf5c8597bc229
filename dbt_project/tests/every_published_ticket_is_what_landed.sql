-- No ticket is missing, none is left over after a delete, and each shows the version that landing calls its latest.
with not_comparable as (
    {{ tickets_not_comparable() }}
),

latest as (
    select
        source_system,
        ticket_id,
        idempotency_key
    from {{ ref('stg_landing__ticket_signals') }}
),

paired as (
    select
        coalesce(signals.source_system, latest.source_system) as source_system,
        coalesce(signals.ticket_id, latest.ticket_id) as ticket_id,
        signals.idempotency_key as published_key,
        latest.idempotency_key as landed_key
    from {{ ref('fct_ticket_signals') }} as signals
    full outer join latest
        on
            signals.source_system = latest.source_system
            and signals.ticket_id = latest.ticket_id
)

select *
from paired
where
    published_key is distinct from landed_key
    and (source_system, ticket_id) not in (
        select
            not_comparable.source_system,
            not_comparable.ticket_id
        from not_comparable
    )
