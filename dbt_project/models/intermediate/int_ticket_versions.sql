-- Grain: one row per version of a living ticket, in one snapshot.
select
    history.*,
    latest.version is not null as is_latest
from {{ ref('stg_landing__ticket_signal_versions') }} as history
left join {{ ref('stg_landing__ticket_signals') }} as latest
    on
        history.source_system = latest.source_system
        and history.ticket_id = latest.ticket_id
        and history.version = latest.version
