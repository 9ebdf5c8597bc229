-- The times during which versions of a ticket were the newest never overlap.
select
    earlier.idempotency_key,
    later.idempotency_key as overlapping_key
from {{ ref('fct_ticket_signal_versions') }} as earlier
inner join {{ ref('fct_ticket_signal_versions') }} as later
    on
        earlier.ticket_key = later.ticket_key
        and earlier.idempotency_key <> later.idempotency_key
        and earlier.valid_from <= later.valid_from
where
    coalesce(earlier.valid_to, 'infinity') > later.valid_from
    and coalesce(earlier.valid_to, 'infinity') > earlier.valid_from
    and coalesce(later.valid_to, 'infinity') > later.valid_from
