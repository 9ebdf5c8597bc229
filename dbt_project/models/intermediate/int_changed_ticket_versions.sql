-- Grain: one row per version of a changed ticket; one row without a version for a changed ticket that is gone.
-- Read in one statement, so that the latest and the history of a ticket agree whatever lands meanwhile.
-- Empty when the facts are built from scratch: they then read the whole view.
{{ config(materialized='incremental', incremental_strategy='replace') }}

with touched_tickets as (
    select
        source_system as touched_source_system,
        ticket_id as touched_ticket_id
    from {{ ref('touched_tickets') }}
    {%- if facts_are_built_from_scratch() %}
    where false
    {%- endif %}
)

select
    touched_tickets.touched_source_system,
    touched_tickets.touched_ticket_id,
    versions.*
{%- if window_is_open_wide() %}
from touched_tickets
left join {{ ref('int_mapped_ticket_versions') }} as versions
    on
        touched_tickets.touched_source_system = versions.source_system
        and touched_tickets.touched_ticket_id = versions.ticket_id
{%- else %}
from touched_tickets
-- `offset 0` keeps the lookup per ticket, by index, instead of a join that reads the whole history.
left join lateral (
    select *
    from {{ ref('int_mapped_ticket_versions') }} as looked_up
    where
        looked_up.source_system = touched_tickets.touched_source_system -- noqa: RF03
        and looked_up.ticket_id = touched_tickets.touched_ticket_id
    offset 0 -- noqa: AM09
) as versions on true
{%- endif %}
