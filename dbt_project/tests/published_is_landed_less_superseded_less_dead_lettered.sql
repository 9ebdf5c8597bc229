-- Per source system: signals = versions that arrived - versions that a later one replaced - versions that were dead-lettered.
with not_comparable as (
    {{ tickets_not_comparable() }}
),

arrived as (
    select
        source_system,
        ticket_id,
        idempotency_key
    from {{ ref('stg_landing__ticket_signal_versions') }}
    union
    select
        source_system,
        ticket_id,
        idempotency_key
    from {{ ref('stg_landing__dead_letters') }}
    where table_name = 'ticket_signals' and status = 'open' and idempotency_key is not null and ticket_id is not null
),

dead_lettered as (
    select
        arrived.source_system,
        arrived.ticket_id,
        arrived.idempotency_key
    from arrived
    where arrived.idempotency_key not in (select versions.idempotency_key from {{ ref('stg_landing__ticket_signal_versions') }} as versions)
),

counted as (
    select
        source_system,
        ticket_id,
        1 as landed,
        0 as superseded,
        0 as dead_lettered,
        0 as published
    from arrived
    union all
    select
        source_system,
        ticket_id,
        0 as landed,
        1 as superseded,
        0 as dead_lettered,
        0 as published
    from {{ ref('fct_ticket_signal_versions') }}
    where not is_latest
    union all
    select
        source_system,
        ticket_id,
        0 as landed,
        0 as superseded,
        1 as dead_lettered,
        0 as published
    from dead_lettered
    union all
    select
        source_system,
        ticket_id,
        0 as landed,
        0 as superseded,
        0 as dead_lettered,
        1 as published
    from {{ ref('fct_ticket_signals') }}
)

select
    source_system,
    sum(landed) as landed,
    sum(superseded) as superseded,
    sum(dead_lettered) as dead_lettered,
    sum(published) as published
from counted
where
    (source_system, ticket_id) not in (
        select
            not_comparable.source_system,
            not_comparable.ticket_id
        from not_comparable
    )
group by source_system
having sum(published) <> sum(landed) - sum(superseded) - sum(dead_lettered)
