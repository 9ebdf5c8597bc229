"""A warehouse with a week in it that ended, and one that has nothing."""

from datetime import date
from zoneinfo import ZoneInfo

import psycopg
import pytest

from ops.report.weeks import Week

WEEK = Week(date(2026, 11, 16), ZoneInfo("Europe/Berlin"))

# Tables that dbt builds and the publisher makes; the columns that the report reads.
MARTS = """
create table marts.fct_pipeline_latency (landed_minute timestamptz, hop text, version_count bigint,
    p50_seconds numeric, p95_seconds numeric, p99_seconds numeric);
create table marts.rpt_driver_weekly (week_start_date date, driver text, signal_count bigint, signal_count_change bigint,
    net_sentiment bigint, net_sentiment_change bigint, negative_count bigint, high_churn_count bigint, last_signal_date date,
    mover_rank bigint, worst_source_system text, worst_ticket_id text, worst_evidence_url text);
insert into marts.fct_pipeline_latency
select timestamptz '2026-11-16 08:00Z' + i * interval '7 minutes', hop, 10, 1 + i % 3, 2 + i % 5, 4 + i % 40
from generate_series(0, 150) as i, unnest(array['store_to_published', 'kafka_to_landing']) as hop;
insert into marts.rpt_driver_weekly values
    ('2026-11-16', 'Delivery & returns', 1200, 300, -250, -180, 500, 90, '2026-11-22', 1, 'zendesk', '4711', 'https://e.example/4711?a=1&b=2'),
    ('2026-11-16', '<b>Billing</b>', 800, -20, 12, 40, 120, 11, '2026-11-22', 2, 'intercom', 'X-2', 'javascript:alert(1)'),
    ('2026-11-09', 'Delivery & returns', 900, 0, -70, 0, 300, 60, '2026-11-15', 1, 'zendesk', '1', 'https://e.example/1');
"""
OBJECTIVES = """
insert into ops.objective_slices
select name, at, 300, case when name = 'end_to_end_p99' and i % 3 = 0 then 300 else 0 end, 20, 20 * value, value * (1 + i % 4)
from generate_series(0, 2015) as i,
    lateral (select timestamptz '2026-11-16 00:00+01' + i * interval '5 minutes' as at) as times,
    (values ('marts_freshness', 2.5), ('end_to_end_p95', 2.1), ('end_to_end_p99', 9.3), ('consumer_lag', 0.8),
        ('heartbeat_age', 6.0), ('slot_retained', 900000.0)) as objectives (name, value);
insert into ops.consumed_samples
select timestamptz '2026-11-15 20:00Z' + i * interval '1 hour', 1000 * i, 40 * i, 3 * i, i / 10, i, 2 * i
from generate_series(0, 200) as i;
"""
LETTERS = """
insert into landing.dead_letters (fingerprint, table_name, reason, detail, remedy, topic, kafka_partition, kafka_offset,
    last_offset, times_seen, status, first_seen_at)
select convert_to(i::text, 'utf8'), 'ticket_signals', case when i < 12 then 'unknown_value' else 'conflict' end, 'd',
    'Ask the enrichment product to keep to the contract.', 't', 0, i, i, 2, case when i % 4 = 0 then 'open' else 'replayed' end,
    timestamptz '2026-11-17 10:00Z' + i * interval '1 hour'
from generate_series(0, 15) as i;
"""
INCIDENTS = """
insert into ops.incidents (fingerprint, severity, owner, summary, details, opened_at, last_seen_at, over_at, occurrences) values
    ('gate:candidates:sentiment', 'critical', 'enrichment', 'Sentiment is missing on 30 % of <new> tickets.',
        '{"since": "2026-11-18T09:00:00+00:00"}', '2026-11-18 09:10Z', '2026-11-18 09:40Z', '2026-11-18 10:00Z', 4),
    ('objective:end_to_end_p99', 'warning', 'data-platform', 'Too slow.', '{}',
        '2026-11-20 07:00Z', '2026-11-20 08:00Z', null, 9),
    ('stream:conflict', 'warning', 'enrichment', 'Over before.', '{}',
        '2026-11-01 07:00Z', '2026-11-01 07:00Z', '2026-11-02 08:00Z', 1);
insert into ops.incidents (fingerprint, severity, owner, summary, details, opened_at, last_seen_at, over_at, occurrences)
select 'gate:landing:volume', 'info', 'data', 'Fewer tickets than usual.', '{}', at, at, at + interval '20 minutes', 1
from generate_series(clock_timestamp() - interval '4 hours', clock_timestamp() - interval '1 hour', interval '1 hour') as at;
insert into ops.alert_flags (incident_id, fingerprint, flagged_by, why, via)
select incident_id, fingerprint, 'kim', 'Night', 'command' from ops.incidents where fingerprint = 'gate:landing:volume' limit 3;
"""
PUBLISHES = """
insert into marts.publications (at, to_snapshot, gate_result)
select timestamptz '2026-11-16 06:00Z' + i * interval '1 hour', pg_current_snapshot(), 'passed' from generate_series(0, 99) as i;
insert into ops.publish_cycles (started_at, finished_at, outcome, message)
select timestamptz '2026-11-18 09:00Z' + i * interval '1 minute', timestamptz '2026-11-18 09:00:05Z' + i * interval '1 minute',
    case when i between 10 and 30 then 'held' when i = 50 then 'error' else 'published' end,
    case when i between 10 and 30 then 'sentiment is missing' when i = 50 then 'no connection' else '' end
from generate_series(0, 99) as i;
insert into ops.held_tickets (source_system, ticket_id, reason, check_name, suite)
select 's', i::text, 'r', 'evidence_url_is_a_link', 'landing' from generate_series(1, 3) as i;
insert into ops.reconciliations (table_name, started_at, outcome, missing, repaired, verified_through) values
    ('ticket_signals', '2026-11-17 01:00Z', 'different', 4, 0, null),
    ('ticket_signals', '2026-11-18 01:00Z', 'equal', 0, 4, '2026-11-18 00:59Z'),
    ('accounts', '2026-11-18 01:00Z', 'equal', 0, 0, '2026-11-18 00:59Z');
"""


@pytest.fixture
def filled(warehouse_url: str) -> str:
    """Address of a warehouse in which something of everything happened in WEEK."""
    with psycopg.connect(warehouse_url) as warehouse:
        for script in (MARTS, OBJECTIVES, LETTERS, INCIDENTS, PUBLISHES):
            warehouse.execute(script)
    return warehouse_url
