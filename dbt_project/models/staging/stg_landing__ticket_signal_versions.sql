-- Grain: one row per idempotency key, that is per version of a living ticket.
select
    -- ids
    source_system,
    ticket_id,
    version,
    idempotency_key,
    event_id,
    account_id,

    -- what the enrichment found
    sentiment,
    sentiment_score,
    churn_risk,
    effort,
    raw_tags,
    canonical_tag,
    driver,
    custom_metrics,
    evidence_url,
    evidence_quote,

    -- when
    occurred_at,
    updated_at,
    store_committed_at,
    captured_at,
    landed_at,
    landed_xid
from {{ source('landing', 'ticket_signal_versions') }}
