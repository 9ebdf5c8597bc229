-- Each ticket has exactly one latest version, and fct_ticket_signals shows that one.
with latest as (
    select *
    from {{ ref('fct_ticket_signal_versions') }}
    where is_latest
)

select
    signals.ticket_key,
    latest.ticket_key as ticket_key_of_version
from {{ ref('fct_ticket_signals') }} as signals
full outer join latest
    on
        signals.ticket_key = latest.ticket_key
        and signals.idempotency_key = latest.idempotency_key
where
    signals.ticket_key is null
    or latest.ticket_key is null
    or latest.valid_to is not null
