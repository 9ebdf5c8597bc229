-- Grain: one row per living ticket, the latest of its versions.
{%- set held_tickets = if_exists(source('ops', 'held_tickets')) %}
{%- set published = if_exists(source('published', 'fct_ticket_signals')) %}
{{ config(
    indexes=[
        {'columns': ['signal_date', 'driver', 'source_system']},
        {'columns': ['account_id', 'signal_date']},
        {'columns': ['canonical_tag_applied', 'driver_applied']},
        {'columns': ['canonical_tag_current', 'driver_current']},
        {'columns': ['raw_tags'], 'type': 'gin'},
    ],
) }}

with latest as (
    select *
    from {{ changed_versions() }}
    where is_latest
),

{%- if held_tickets %}

held as (
    select
        source_system,
        ticket_id
    from {{ held_tickets }}
    where released_at is null
),
{%- endif %}

signals as (
    select
        {{ surrogate_key(['source_system', 'ticket_id']) }} as ticket_key,
        source_system,
        ticket_id,
        version,
        idempotency_key,
        event_id,
        account_id,
        occurred_at,
        signal_date,
        sentiment,
        {{ sentiment_value('sentiment') }} as sentiment_value,
        sentiment_score,
        churn_risk,
        {{ churn_level('churn_risk') }} as churn_level,
        effort,
        {{ effort_level('effort') }} as effort_level,
        raw_tags,
        {{ 'canonical_tag_current' if var('restate_history') else 'canonical_tag_applied' }} as canonical_tag,
        {{ 'driver_current' if var('restate_history') else 'driver_applied' }} as driver,
        canonical_tag_applied,
        driver_applied,
        canonical_tag_current,
        driver_current,
        driver_current <> driver_applied as is_remapped,
        custom_metrics,
        evidence_url,
        evidence_quote,
        updated_at,
        landed_at
    from latest
    {%- if held_tickets %}
    where (source_system, ticket_id) not in (
        select
            held.source_system,
            held.ticket_id
        from held
    )
    {%- endif %}
)

select *
from signals
{%- if held_tickets and published %}
union all
select {{ columns_as_published(published, mart_columns()) }}
from {{ published }} as published
inner join held
    on
        published.source_system = held.source_system
        and published.ticket_id = held.ticket_id
{%- endif %}
