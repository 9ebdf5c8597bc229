-- Grain: one row per minute in which a version landed whose latency may differ.
-- What fct_ticket_signal_versions holds of the changed tickets (by name, because it is rebuilt next) beside what it will hold.
-- Accumulates until the window is published.
-- depends_on: {{ ref('touched_tickets') }}, {{ ref('int_changed_ticket_versions') }}, {{ ref('stg_landing__ticket_signal_versions') }}
{%- set fact_before = in_build('fct_ticket_signal_versions') %}
{%- set latency_before = in_build('fct_pipeline_latency') %}
{%- set published = if_exists(source('published', 'fct_ticket_signal_versions')) %}
{%- set publications = if_exists(source('published', 'publications')) %}
{%- set held_tickets = if_exists(source('ops', 'held_tickets')) %}
{%- set everything = window_is_open_wide() or not is_incremental() or not fact_before %}
{%- set compared = [
    'source_system', 'ticket_id', 'idempotency_key', 'occurred_at', 'updated_at', 'store_committed_at', 'captured_at', 'landed_at',
    'landed_transaction',
] | join(', ') %}
{{ config(materialized='incremental', incremental_strategy='append') }}

{%- if everything %}

with minutes as (
    select date_trunc('minute', landed_at) as landed_minute
    from {{ ref('stg_landing__ticket_signal_versions') }}
    {%- for state in [latency_before, published] if state %}
    union
    select landed_minute
    from {{ state }}
    {%- endfor %}
)
{%- else %}

with versions_before as (
    select versions.*
    from {{ ref('touched_tickets') }} as touched_tickets
    -- `offset 0` keeps the lookup per ticket, by index, instead of a join that reads the whole history.
    cross join lateral (
        select {{ compared }}
        from {{ fact_before }} as looked_up
        where
            looked_up.source_system = touched_tickets.source_system -- noqa: RF03
            and looked_up.ticket_id = touched_tickets.ticket_id
        offset 0 -- noqa: AM09
    ) as versions
),

versions_after as (
    select {{ compared | replace('landed_transaction', 'landed_xid::text::bigint as landed_transaction') }}
    from {{ ref('int_changed_ticket_versions') }}
    where source_system is not null
),

differing as (
    (
        select * from versions_before
        except all
        select * from versions_after
    )
    union all
    (
        select * from versions_after
        except all
        select * from versions_before
    )
),

{%- if publications %}

-- Their moment of publishing was not known to the cycle that built them.
just_published as (
    select landed_at
    from {{ ref('stg_landing__ticket_signal_versions') }}
    where {{ landed_in_last_publication(publications) }}
),
{%- endif %}

{%- if held_tickets %}

-- What is held stays as published, so all of its versions may differ.
held as (
    {%- for versions in ['versions_before', 'versions_after', published] if versions %}
    select versions.landed_at
    from {{ held_tickets }} as held_tickets
    inner join {{ versions }} as versions
        on
            held_tickets.source_system = versions.source_system
            and held_tickets.ticket_id = versions.ticket_id
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),
{%- endif %}

minutes as (
    select date_trunc('minute', landed_at) as landed_minute
    from differing
    {%- if publications %}
    union
    select date_trunc('minute', landed_at) as landed_minute
    from just_published
    where not exists (select from {{ this }})
    {%- endif %}
    {%- if held_tickets %}
    union
    select date_trunc('minute', landed_at) as landed_minute
    from held
    {%- endif %}
)
{%- endif %}

select landed_minute
from minutes
{%- if is_incremental() %}
except
select landed_minute
from {{ this }}
{%- endif %}
