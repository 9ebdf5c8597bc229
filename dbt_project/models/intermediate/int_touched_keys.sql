-- Grain: one row per key that a changed ticket or account held when its change was noticed.
-- Accumulates until the window is published, because a key that was left can be read only before fct_ticket_signals is rebuilt.
-- Reads the marts that later models rebuild, so by name and without ref.
{%- set before = in_build('fct_ticket_signals') %}
{%- set days_before = in_build('fct_driver_sentiment_daily') %}
{%- set accounts_before = in_build('dim_accounts') %}
{%- set published = if_exists(source('published', 'fct_ticket_signals')) %}
{%- set held_tickets = if_exists(source('ops', 'held_tickets')) %}
{%- set everything = window_is_open_wide() %}
{%- set columns = 'source_system, ticket_id, signal_date, driver, account_id' %}
{{ config(materialized='incremental', incremental_strategy='append') }}

with changed_tags as ( -- noqa: ST03
    select array_agg(raw_tag) as raw_tags
    from {{ ref('int_tag_mapping') }}
    where changed_in_window = {{ window_number() }}
),

changed_tickets as (
    select
        source_system,
        ticket_id
    from {{ ref('stg_landing__ticket_signal_versions') }}
    where {{ landed_in_window() }}
    union
    select
        source_system,
        ticket_id
    from {{ ref('stg_landing__restated_tickets') }}
    where {{ landed_in_window() }}
    union
    select
        source_system,
        ticket_id
    from {{ ref('stg_landing__deleted_tickets') }}
    where {{ landed_in_window() }}
    {%- if held_tickets %}
    union
    select
        source_system,
        ticket_id
    from {{ held_tickets }}
    {%- endif %}
    {%- if before %}
    union
    select
        source_system,
        ticket_id
    from {{ before }}
    {%- if not everything %}
    where raw_tags && (select changed_tags.raw_tags from changed_tags)
    {%- endif %}
    {%- endif %}
    {%- if published and everything %}
    union
    select
        source_system,
        ticket_id
    from {{ published }}
    {%- endif %}
),

keys as (
    select
        source_system,
        ticket_id,
        null::date as signal_date,
        null::text as driver,
        null::text as account_id
    from changed_tickets
    {%- for state in [before, published] if state %}
    union
    select
        state.source_system,
        state.ticket_id,
        state.signal_date,
        state.driver,
        state.account_id
    from changed_tickets
    inner join {{ state }} as state
        on
            changed_tickets.source_system = state.source_system
            and changed_tickets.ticket_id = state.ticket_id
    {%- endfor %}
    union
    select
        null as source_system,
        null as ticket_id,
        null as signal_date,
        null as driver,
        account_id
    from {{ ref('stg_landing__accounts') }}
    where {{ landed_in_window() }}
    {%- if everything and days_before %}
    union
    select
        source_system,
        null as ticket_id,
        signal_date,
        driver,
        null as account_id
    from {{ days_before }}
    {%- endif %}
    {%- if everything and accounts_before %}
    union
    select
        null as source_system,
        null as ticket_id,
        null as signal_date,
        null as driver,
        account_id
    from {{ accounts_before }}
    {%- endif %}
)

select {{ columns }}
from keys
{%- if is_incremental() %}
except
select {{ columns }}
from {{ this }}
{%- endif %}
