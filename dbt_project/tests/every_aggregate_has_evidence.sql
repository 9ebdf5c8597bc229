-- Each aggregate row has a signal behind it whose evidence can be opened, and as many of them as it counts.
select
    'fct_driver_sentiment_daily' as mart,
    daily.driver_day_key as row_key
from {{ ref('fct_driver_sentiment_daily') }} as daily
left join {{ ref('fct_evidence') }} as evidence
    on daily.driver_day_key = evidence.driver_day_key
group by daily.driver_day_key, daily.signal_count
having count(evidence.evidence_url) <> daily.signal_count
union all
select
    'rpt_driver_weekly' as mart,
    weekly.driver_week_key as row_key
from {{ ref('rpt_driver_weekly') }} as weekly
left join {{ ref('fct_evidence') }} as evidence
    on weekly.driver_week_key = evidence.driver_week_key
group by weekly.driver_week_key, weekly.signal_count
having count(evidence.evidence_url) <> weekly.signal_count
union all
select
    'fct_account_churn_risk' as mart,
    risk.account_id as row_key
from {{ ref('fct_account_churn_risk') }} as risk
left join {{ ref('fct_evidence') }} as evidence
    on
        risk.top_source_system = evidence.source_system
        and risk.top_ticket_id = evidence.ticket_id
        and risk.account_id = evidence.account_id
        and risk.top_evidence_url = evidence.evidence_url
where evidence.ticket_id is null
