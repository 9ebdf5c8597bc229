-- Grain: one row per day, driver and source system that has a signal.
-- depends_on: {{ ref('touched_driver_days') }}
with signals as (
    select
        signals.signal_date,
        signals.driver,
        signals.source_system,
        signals.ticket_id,
        signals.account_id,
        signals.occurred_at,
        signals.sentiment,
        signals.sentiment_value,
        signals.sentiment_score,
        signals.churn_risk,
        signals.churn_level,
        signals.effort,
        signals.effort_level,
        signals.is_remapped,
        signals.evidence_url
    from {{ ref('fct_ticket_signals') }} as signals
    {%- if is_incremental() %}
    where (signals.signal_date, signals.driver, signals.source_system) in (
        select
            touched.signal_date,
            touched.driver,
            touched.source_system
        from {{ ref('touched_driver_days') }} as touched
    )
    {%- endif %}
),

worst as (
    select distinct on (signal_date, driver, source_system)
        signal_date,
        driver,
        source_system,
        ticket_id as worst_ticket_id,
        evidence_url as worst_evidence_url,
        sentiment_value as worst_sentiment_value,
        sentiment_score as worst_sentiment_score,
        churn_level as worst_churn_level,
        occurred_at as worst_occurred_at
    from signals
    order by signal_date asc, driver asc, source_system asc, {{ worst_first() }}
),

totals as (
    select
        signal_date,
        driver,
        source_system,
        count(*) as signal_count,
        count(distinct account_id) filter (where account_id <> 'unknown') as account_count,
        count(*) filter (where sentiment = 'positive') as positive_count,
        count(*) filter (where sentiment = 'neutral') as neutral_count,
        count(*) filter (where sentiment = 'negative') as negative_count,
        sum(sentiment_value)::bigint as net_sentiment,
        coalesce(sum(sentiment_score), 0)::numeric(28, 6) as sentiment_score_sum,
        count(sentiment_score) as sentiment_score_count,
        count(*) filter (where churn_risk = 'none') as no_churn_count,
        count(*) filter (where churn_risk = 'low') as low_churn_count,
        count(*) filter (where churn_risk = 'medium') as medium_churn_count,
        count(*) filter (where churn_risk = 'high') as high_churn_count,
        sum(churn_level)::bigint as churn_level_sum,
        count(*) filter (where effort = 'low') as low_effort_count,
        count(*) filter (where effort = 'medium') as medium_effort_count,
        count(*) filter (where effort = 'high') as high_effort_count,
        sum(effort_level)::bigint as effort_level_sum,
        count(*) filter (where is_remapped) as remapped_count,
        min(occurred_at) as first_occurred_at,
        max(occurred_at) as last_occurred_at,
        count(evidence_url) as evidence_count
    from signals
    group by signal_date, driver, source_system
)

select
    {{ surrogate_key(['totals.signal_date', 'totals.driver', 'totals.source_system']) }} as driver_day_key,
    totals.*,
    worst.worst_evidence_url,
    worst.worst_ticket_id,
    worst.worst_sentiment_value,
    worst.worst_sentiment_score,
    worst.worst_churn_level,
    worst.worst_occurred_at
from totals
inner join worst
    on
        totals.signal_date = worst.signal_date
        and totals.driver = worst.driver
        and totals.source_system = worst.source_system
