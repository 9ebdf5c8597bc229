-- Grain: one row per living ticket: its evidence, and the key of every aggregate that counts it.
-- depends_on: {{ ref('int_changed_ticket_versions') }}
{{ config(
    indexes=[
        {'columns': ['driver_day_key']},
        {'columns': ['account_id']},
    ],
) }}

with signals as (
    select signals.*
    from {{ ref('fct_ticket_signals') }} as signals
    {%- if is_incremental() %}
    where (signals.source_system, signals.ticket_id) in (
        select
            touched.touched_source_system,
            touched.touched_ticket_id
        from {{ ref('int_changed_ticket_versions') }} as touched
    )
    {%- endif %}
)

select
    ticket_key,
    source_system,
    ticket_id,
    {{ surrogate_key(['signal_date', 'driver', 'source_system']) }} as driver_day_key,
    {{ surrogate_key(["date_trunc('week', signal_date)::date", 'driver']) }} as driver_week_key,
    signal_date,
    date_trunc('week', signal_date)::date as week_start_date,
    driver,
    canonical_tag,
    account_id,
    occurred_at,
    sentiment,
    sentiment_value,
    sentiment_score,
    churn_risk,
    churn_level,
    effort,
    evidence_url,
    evidence_quote
from signals
