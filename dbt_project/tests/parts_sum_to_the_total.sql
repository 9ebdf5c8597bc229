-- Every way to cut the signals gives the same total: by sentiment, churn risk and effort, by day, by week, by ticket.
with daily as (
    select
        sum(signal_count) as total,
        sum(positive_count + neutral_count + negative_count) as by_sentiment,
        sum(no_churn_count + low_churn_count + medium_churn_count + high_churn_count) as by_churn_risk,
        sum(low_effort_count + medium_effort_count + high_effort_count) as by_effort,
        sum(positive_count - negative_count) as positive_less_negative,
        sum(net_sentiment) as net_sentiment
    from {{ ref('fct_driver_sentiment_daily') }}
),

totals as (
    select
        daily.*,
        (select sum(weekly.signal_count) from {{ ref('rpt_driver_weekly') }} as weekly) as by_week,
        (select nullif(count(*), 0) from {{ ref('fct_ticket_signals') }}) as by_ticket,
        (select nullif(count(*), 0) from {{ ref('fct_evidence') }}) as by_evidence
    from daily
)

select *
from totals
where
    total is distinct from by_sentiment
    or total is distinct from by_churn_risk
    or total is distinct from by_effort
    or total is distinct from by_week
    or total is distinct from by_ticket
    or total is distinct from by_evidence
    or positive_less_negative is distinct from net_sentiment
