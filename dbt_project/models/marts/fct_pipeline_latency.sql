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
transactions as (
    select
        landed_transaction,
        min(landed_at) as first_landed_at
    from versions
    group by landed_transaction
),

published as (
    {%- if publications %}
    select
        transactions.landed_transaction,
        first_publication.published_at
    from transactions
    cross join
        lateral (
            select publications.at as published_at
            from {{ publications }} as publications
            where
                publications.at >= transactions.first_landed_at
                and pg_visible_in_snapshot(transactions.landed_transaction::text::xid8, publications.to_snapshot)
            order by publications.at
            limit 1
        ) as first_publication
    {%- else %}
    select
        transactions.landed_transaction,
        null::timestamptz as published_at
    from transactions
    {%- endif %}
),

moments as (
    select
        versions.landed_minute,
        versions.occurred_at,
        coalesce(versions.store_committed_at, versions.updated_at) as stored_at,
        versions.captured_at,
        versions.landed_at,
        published.published_at
    from versions
    left join published
        on versions.landed_transaction = published.landed_transaction
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
