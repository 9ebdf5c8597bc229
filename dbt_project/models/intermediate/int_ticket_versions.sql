-- Grain: one row per version of a living ticket, in one snapshot.
-- A latest row that is missing from the history (repaired by hand) counts as a version of its own.
-- No CTE is used twice: PostgreSQL would read it whole instead of looking up the tickets that are asked for.
with superseded as (
    select history.*
    from {{ ref('stg_landing__ticket_signal_versions') }} as history
    where
        not exists (
            select
            from {{ ref('stg_landing__ticket_signals') }} as latest
            where
                latest.source_system = history.source_system
                and latest.ticket_id = history.ticket_id
                and latest.idempotency_key = history.idempotency_key
        )
)

select
    *,
    true as is_latest
from {{ ref('stg_landing__ticket_signals') }}
union all
select
    *,
    false as is_latest
from superseded
