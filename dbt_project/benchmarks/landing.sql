-- fill N tickets :n, versions 1..2
insert into landing.tag_taxonomy (raw_tag, canonical_tag, driver, owner, updated_at, content_hash, source_position)
select 'tag_' || i, 'canonical_' || i % 40, 'driver_' || (i % 40) % 12, 'owner_' || i % 5, now(), '\x00', i from generate_series(0, 99) i on conflict do nothing;
insert into landing.accounts (account_id, name, plan, segment, owner, updated_at, content_hash, source_position)
select 'acc_' || i, 'Account ' || i, 'pro', 'smb', 'csm', now(), '\x00', i from generate_series(0, :n / 50) i on conflict do nothing;
insert into landing.ticket_signal_versions (event_id, occurred_at, source_system, ticket_id, account_id, sentiment, sentiment_score, churn_risk, effort, raw_tags, canonical_tag, driver, custom_metrics, evidence_url, evidence_quote, idempotency_key, version, updated_at, content_hash, source_positions, kafka_partition, kafka_offset, store_committed_at, captured_at, landed_at)
select gen_random_uuid(), timestamptz '2026-01-01' + interval '1 second' * (i * 30000000.0 / :n), (array['zendesk','intercom','email'])[1 + i % 3], i::text,
  case when i % 10 = 0 then null else 'acc_' || (hashint4(i) & 2147483647) % (:n / 50) end,
  (array['positive','neutral','negative'])[1 + (hashint4(i + 1) & 2147483647) % 3], round((hashint4(i + 2) % 1000) / 1000.0, 3),
  (array['none','low','medium','high'])[1 + (hashint4(i + 3) & 2147483647) % 4], (array['low','medium','high'])[1 + (hashint4(i + 4) & 2147483647) % 3],
  array['tag_' || (hashint4(i + 5) & 2147483647) % 110], 'canonical_' || (hashint4(i + 5) & 2147483647) % 110 % 40, 'driver_' || (hashint4(i + 5) & 2147483647) % 110 % 40 % 12,
  jsonb_build_object('handle_seconds', i % 1000), 'https://x.example/tickets/' || i, 'quote ' || i, 'k' || i || '-1', 1,
  timestamptz '2026-01-01' + interval '1 second' * (i * 30000000.0 / :n) + interval '5 seconds', '\x00', array[i], 0, i,
  timestamptz '2026-01-01' + interval '1 second' * (i * 30000000.0 / :n) + interval '6 seconds', timestamptz '2026-01-01' + interval '1 second' * (i * 30000000.0 / :n) + interval '7 seconds', timestamptz '2026-01-01' + interval '1 second' * (i * 30000000.0 / :n) + interval '8 seconds'
from generate_series(1, :n) i;
analyze;
