-- Grain: one row per version of a living ticket, with the tag and driver applied then beside those of today's mapping.
with versions as (
    select *
    from {{ ref('int_ticket_versions') }}
),

mapping as (
    select *
    from {{ ref('int_tag_mapping') }}
    where is_mapped
),

bridged as (
    select
        versions.*,
        coalesce(versions.canonical_tag, 'unmapped') as canonical_tag_applied,
        coalesce(versions.driver, 'unmapped') as driver_applied,
        today.canonical_tag as canonical_tag_today,
        today.driver as driver_today
    from versions
    -- Of a ticket's raw tags the one that still gives the applied canonical tag counts, else the first that is mapped.
    left join lateral (
        select
            mapping.canonical_tag,
            mapping.driver
        from unnest(versions.raw_tags) with ordinality as tag (raw_tag, place)
        inner join mapping
            on tag.raw_tag = mapping.raw_tag
        order by (mapping.canonical_tag = versions.canonical_tag) desc nulls last, tag.place
        limit 1
    ) as today on true
)

select
    source_system,
    ticket_id,
    version,
    idempotency_key,
    event_id,
    coalesce(account_id, 'unknown') as account_id,
    sentiment,
    round(sentiment_score, 6) as sentiment_score,
    churn_risk,
    effort,
    raw_tags,
    canonical_tag_applied,
    driver_applied,
    -- Without raw tags there is nothing to map again, so what was applied stands.
    case when cardinality(raw_tags) = 0 then canonical_tag_applied else coalesce(canonical_tag_today, 'unmapped') end as canonical_tag_current,
    case when cardinality(raw_tags) = 0 then driver_applied else coalesce(driver_today, 'unmapped') end as driver_current,
    custom_metrics,
    evidence_url,
    evidence_quote,
    occurred_at,
    {{ reporting_day('occurred_at') }} as signal_date,
    updated_at,
    store_committed_at,
    captured_at,
    landed_at,
    landed_xid,
    is_latest
from bridged
