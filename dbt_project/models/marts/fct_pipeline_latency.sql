-- Grain: one row per minute of landing and hop, for the versions that landed in that minute.
-- depends_on: {{ ref('touched_minutes') }}
{%- set publications = if_exists(source('published', 'publications')) %}
with versions as (
    select *
    from {{ ref('fct_ticket_signal_versions') }}
    {%- if is_incremental() and not window_is_open_wide() %}
    where {{ landed_in_touched_minute() }}
    {%- endif %}
),

-- Versions of one transaction are published together: by the first publication that saw it.
-- They travel as arrays, because a join back to them would be planned by how many versions a minute used to have.
transactions as (
    select
        landed_transaction,
        min(landed_at) as first_landed_at,
        array_agg(landed_minute) as landed_minutes,
        array_agg(occurred_at) as occurred_ats,
        array_agg(coalesce(store_committed_at, updated_at)) as stored_ats,
        array_agg(captured_at) as captured_ats,
        array_agg(landed_at) as landed_ats
    from versions
    group by landed_transaction
),

published as (
    {%- if publications %}
    select
        transactions.*,
        first_publication.published_at
    from transactions
    left join
        lateral (
            select publications.at as published_at
            from {{ publications }} as publications
            where
                publications.at >= transactions.first_landed_at
                and pg_visible_in_snapshot(transactions.landed_transaction::text::xid8, publications.to_snapshot)
            order by publications.at
            limit 1
        ) as first_publication
        on true
    {%- else %}
    select
        transactions.*,
        null::timestamptz as published_at
    from transactions
    {%- endif %}
),

moments as (
    select
        moment.*,
        published.published_at
    from published
    cross join
        unnest(
            published.landed_minutes, published.occurred_ats, published.stored_ats, published.captured_ats, published.landed_ats
        ) as moment (landed_minute, occurred_at, stored_at, captured_at, landed_at)
),

hops as (
    select
        moments.landed_minute,
        hop.hop,
        round(extract(epoch from hop.ended_at - hop.started_at), 3) as seconds
    from moments
    cross join
        lateral (
            values
            ('occurred_to_store', moments.occurred_at, moments.stored_at),
            ('store_to_kafka', moments.stored_at, moments.captured_at),
            ('kafka_to_landing', moments.captured_at, moments.landed_at),
            ('landing_to_published', moments.landed_at, moments.published_at),
            ('store_to_published', moments.stored_at, moments.published_at)
        ) as hop (hop, started_at, ended_at)
    where
        hop.started_at is not null
        and hop.ended_at is not null
)

select
    landed_minute,
    hop,
    count(*) as version_count,
    (percentile_disc(0.50) within group (order by seconds))::numeric(20, 3) as p50_seconds,
    (percentile_disc(0.95) within group (order by seconds))::numeric(20, 3) as p95_seconds,
    (percentile_disc(0.99) within group (order by seconds))::numeric(20, 3) as p99_seconds,
    max(seconds)::numeric(20, 3) as max_seconds,
    count(*) filter (where seconds < 0) as clock_skew_count
from hops
group by landed_minute, hop
