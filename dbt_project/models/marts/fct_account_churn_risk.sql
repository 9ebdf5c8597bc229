-- Grain: one row per account that has a signal; numbers of the last 28 days up to its own last signal.
-- depends_on: {{ ref('touched_accounts') }}
with accounts as (
    {%- if is_incremental() %}
    select account_id
    from {{ ref('touched_accounts') }}
    {%- else %}
    select distinct account_id
    from {{ ref('fct_ticket_signals') }}
    {%- endif %}
),

-- The windows end on the account's own last day, not on today: an account that is silent does not change.
last_days as (
    select
        accounts.account_id,
        latest.signal_date as last_signal_date
    from accounts
    cross join lateral (
        select signals.signal_date
        from {{ ref('fct_ticket_signals') }} as signals
        where signals.account_id = accounts.account_id
        order by signals.signal_date desc
        limit 1
    ) as latest
),

recent as (
    select
        signals.account_id,
        signals.source_system,
        signals.ticket_id,
        signals.driver,
        signals.occurred_at,
        signals.sentiment,
        signals.sentiment_value,
        signals.sentiment_score,
        signals.churn_risk,
        signals.churn_level,
        signals.evidence_url,
        last_days.last_signal_date,
        last_days.last_signal_date - signals.signal_date as days_ago
    from last_days
    inner join {{ ref('fct_ticket_signals') }} as signals
        on
            last_days.account_id = signals.account_id
            and signals.signal_date > last_days.last_signal_date - 56
),

totals as (
    select
        account_id,
        last_signal_date,
        max(occurred_at) as last_occurred_at,
        max(churn_level) filter (where days_ago < 28) as highest_churn_level,
        count(*) filter (where days_ago < 28 and churn_risk = 'high') as high_churn_count_28d,
        count(*) filter (where days_ago < 28 and sentiment = 'negative') as negative_count_28d,
        count(*) filter (where days_ago < 7) as signal_count_7d,
        coalesce(sum(churn_level) filter (where days_ago < 7), 0) as churn_level_sum_7d,
        count(*) filter (where days_ago between 7 and 13) as signal_count_previous_7d,
        coalesce(sum(churn_level) filter (where days_ago between 7 and 13), 0) as churn_level_sum_previous_7d,
        count(*) filter (where days_ago < 28) as signal_count_28d,
        coalesce(sum(churn_level) filter (where days_ago < 28), 0) as churn_level_sum_28d,
        count(*) filter (where days_ago between 28 and 55) as signal_count_previous_28d,
        coalesce(sum(churn_level) filter (where days_ago between 28 and 55), 0) as churn_level_sum_previous_28d
    from recent
    group by account_id, last_signal_date
),

driver_totals as (
    select
        account_id,
        driver,
        sum(churn_level) as churn_level_sum,
        count(*) as signal_count
    from recent
    where days_ago < 28
    group by account_id, driver
),

top_drivers as (
    select distinct on (account_id)
        account_id,
        driver as top_driver
    from driver_totals
    order by account_id asc, churn_level_sum desc, signal_count desc, driver asc
),

top_evidence as (
    select distinct on (account_id)
        account_id,
        source_system as top_source_system,
        ticket_id as top_ticket_id,
        evidence_url as top_evidence_url
    from recent
    where days_ago < 28
    order by account_id asc, churn_level desc, {{ worst_first() }}
)

select
    totals.account_id,
    totals.last_signal_date,
    totals.last_occurred_at,
    case totals.highest_churn_level when 3 then 'high' when 2 then 'medium' when 1 then 'low' else 'none' end as highest_churn_risk,
    totals.highest_churn_level,
    totals.high_churn_count_28d,
    totals.negative_count_28d,
    totals.signal_count_7d,
    totals.churn_level_sum_7d,
    totals.signal_count_previous_7d,
    totals.churn_level_sum_previous_7d,
    {{ trend('7d') }} as trend_7d,
    totals.signal_count_28d,
    totals.churn_level_sum_28d,
    totals.signal_count_previous_28d,
    totals.churn_level_sum_previous_28d,
    {{ trend('28d') }} as trend_28d,
    top_drivers.top_driver,
    top_evidence.top_evidence_url,
    top_evidence.top_source_system,
    top_evidence.top_ticket_id
from totals
inner join top_drivers
    on totals.account_id = top_drivers.account_id
inner join top_evidence
    on totals.account_id = top_evidence.account_id
