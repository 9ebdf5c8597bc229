-- 1,000 tickets of the last days are enriched again: some move to another day, driver or account.
-- Variables: n, tickets in landing; round, the number of the change.
with moved as (
    select
        :n - (i * 37) % (:n / 20) as number,
        i
    from generate_series(1, 1000) as i
),

enriched as (
    select
        latest.*,
        moved.i
    from moved
    inner join landing.ticket_signals as latest
        on
            latest.source_system = (array['zendesk', 'intercom', 'email'])[1 + moved.number % 3]
            and latest.ticket_id = moved.number::text
)

insert into landing.ticket_signal_versions (
    event_id, occurred_at, source_system, ticket_id, account_id, sentiment, sentiment_score, churn_risk, effort, raw_tags, canonical_tag, driver,
    custom_metrics, evidence_url, evidence_quote, idempotency_key, version, updated_at, content_hash, source_positions, kafka_partition,
    kafka_offset, store_committed_at, captured_at
)
select
    event_id,
    occurred_at + interval '1 day' * (i % 2),
    source_system,
    ticket_id,
    account_id,
    'negative',
    sentiment_score,
    (array['none', 'low', 'medium', 'high'])[1 + (i + :round) % 4],
    effort,
    raw_tags,
    canonical_tag,
    'driver_' || (i + :round) % 12,
    custom_metrics,
    evidence_url,
    evidence_quote,
    'round-' || :round || '-' || i,
    version + 1,
    clock_timestamp(),
    content_hash,
    source_positions,
    kafka_partition,
    kafka_offset,
    clock_timestamp(),
    clock_timestamp()
from enriched;
