-- Grain: one row per week (its Monday) and driver that has a signal in it, compared with the week before.
-- depends_on: {{ ref('touched_weeks') }}
{% if is_incremental() -%}
with touched as (
    select week_start_date
    from {{ ref('touched_weeks') }}
),

-- A week is compared with the one before it, so that one is read too.
needed as (
    select touched.week_start_date + near_days.later as signal_date
    from touched
    cross join generate_series(-7, 6) as near_days (later)
),

days as (
{%- else -%}
with days as (
{%- endif %}
    select
        *,
        date_trunc('week', signal_date)::date as week_start_date
    from {{ ref('fct_driver_sentiment_daily') }}
    {%- if is_incremental() %}
    where signal_date in (select needed.signal_date from needed)
    {%- endif %}
),

weeks as (
    select
        week_start_date,
        driver,
        sum(signal_count)::bigint as signal_count,
        sum(net_sentiment)::bigint as net_sentiment,
        sum(negative_count)::bigint as negative_count,
        sum(high_churn_count)::bigint as high_churn_count,
        sum(sentiment_score_sum)::numeric(28, 6) as sentiment_score_sum,
        sum(sentiment_score_count)::bigint as sentiment_score_count,
        max(signal_date) as last_signal_date
    from days
    group by week_start_date, driver
),

worst as (
    select distinct on (week_start_date, driver)
        week_start_date,
        driver,
        source_system as worst_source_system,
        worst_ticket_id,
        worst_evidence_url
    from days
    order by
        week_start_date asc,
        driver asc,
        worst_sentiment_value asc,
        worst_sentiment_score asc nulls last,
        worst_churn_level desc,
        worst_occurred_at desc,
        source_system asc,
        worst_ticket_id asc
),

compared as (
    select
        this_week.*,
        coalesce(last_week.signal_count, 0) as previous_signal_count,
        coalesce(last_week.net_sentiment, 0) as previous_net_sentiment,
        this_week.signal_count - coalesce(last_week.signal_count, 0) as signal_count_change,
        this_week.net_sentiment - coalesce(last_week.net_sentiment, 0) as net_sentiment_change
    from weeks as this_week
    left join weeks as last_week
        on
            this_week.driver = last_week.driver
            and this_week.week_start_date - 7 = last_week.week_start_date
)

select
    {{ surrogate_key(['compared.week_start_date', 'compared.driver']) }} as driver_week_key,
    compared.*,
    row_number() over (
        partition by compared.week_start_date
        order by abs(compared.net_sentiment_change) desc, abs(compared.signal_count_change) desc, compared.driver asc
    ) as mover_rank,
    worst.worst_evidence_url,
    worst.worst_source_system,
    worst.worst_ticket_id
from compared
inner join worst
    on
        compared.week_start_date = worst.week_start_date
        and compared.driver = worst.driver
{%- if is_incremental() %}
where compared.week_start_date in (select touched.week_start_date from touched)
{%- endif %}
