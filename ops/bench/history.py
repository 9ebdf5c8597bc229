"""Landing tables filled by SQL, as if many tickets had landed long ago."""

from ops.bench.stand import Stand

# Ticket i of `events.row`, as far as it matters; every tenth ticket has all the versions, the others one.
ROWS = """
insert into landing.ticket_signal_versions (
    event_id, occurred_at, source_system, ticket_id, account_id, sentiment, sentiment_score, churn_risk, effort, raw_tags,
    canonical_tag, driver, custom_metrics, evidence_url, evidence_quote, idempotency_key, version, updated_at, content_hash,
    source_positions, kafka_partition, kafka_offset, store_committed_at, captured_at, landed_at
)
select
    md5(i || ':' || version)::uuid, timestamptz '2026-01-01' + i * interval '1 second' * (2e7 / {tickets}), 'zendesk', 't' || i,
    'account-' || i % ({tickets} / 50 + 1), (array['negative', 'neutral', 'positive'])[i % 3 + 1], (i % 200 - 100) / 100.0,
    (array['none', 'low', 'medium', 'high'])[i % 4 + 1], 'medium', array['tag-' || i % 100], 'canonical-' || i % 40,
    'Driver ' || i % 12, jsonb_build_object('handle_time_seconds', i % 997), 'https://support.example.com/tickets/' || i,
    'I was charged twice for the same month and nobody answers, number ' || i, 'old:' || i || ':' || version, version, moment,
    decode(md5(i || ':' || version), 'hex'), array[1], i % 12, i, moment, moment, moment
from generate_series(0, {tickets} - 1) as i
cross join lateral (select case when i % 10 = 0 then {versions} else 1 end as newest) as has
cross join lateral generate_series(1, newest) as version
cross join (select timestamptz '2026-09-01' as moment) as then_
"""
INDEXES = """
select
    coalesce(
        'alter table ' || own.indrelid::regclass || ' drop constraint ' || its.conname, 'drop index ' || own.indexrelid::regclass
    ),
    coalesce(
        'alter table ' || own.indrelid::regclass || ' add ' || pg_get_constraintdef(its.oid), pg_get_indexdef(own.indexrelid)
    )
from pg_index as own
left join pg_constraint as its on its.conindid = own.indexrelid
where own.indrelid = 'landing.ticket_signal_versions'::regclass
"""
STORED = """
select event_id, occurred_at, source_system, ticket_id, account_id, sentiment, sentiment_score, churn_risk, effort, raw_tags,
    canonical_tag, driver, custom_metrics, evidence_url, evidence_quote, idempotency_key, version, updated_at
from landing.ticket_signals
"""


def fill_landing(stand: Stand, tickets: int, versions: int) -> int:
    """Fill the history without its indexes, which are made afterwards; the number of versions."""
    with stand.warehouse() as warehouse:
        warehouse.execute("set maintenance_work_mem = '512MB'")
        indexes = warehouse.execute(INDEXES).fetchall()
        for drop, _ in indexes:
            warehouse.execute(drop.encode())
        done = warehouse.execute(ROWS.format(tickets=tickets, versions=versions).encode())
        for _, create in indexes:
            warehouse.execute(create.encode())
        warehouse.execute("vacuum analyze landing.ticket_signal_versions")
        warehouse.execute("checkpoint")
        return done.rowcount


def fill_store(stand: Stand) -> None:
    """Give the store the latest version of every ticket, as if it had been where they came from."""
    with stand.warehouse() as warehouse, stand.store() as store:
        with (
            warehouse.cursor().copy(f"copy ({STORED}) to stdout".encode()) as source,
            store.cursor().copy("copy enrichment.ticket_signals from stdin") as target,
        ):
            for block in source:
                target.write(block)
        store.execute("vacuum analyze enrichment.ticket_signals")
