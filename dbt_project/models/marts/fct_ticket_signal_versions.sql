-- Grain: one row per version of a living ticket, with the time during which it was the newest one known.
-- depends_on: {{ ref('touched_minutes') }}, which reads this table before it is rebuilt
{%- set held_tickets = if_exists(source('ops', 'held_tickets')) %}
{%- set published = if_exists(source('published', 'fct_ticket_signal_versions')) %}
{{ config(indexes=[{'columns': ['landed_minute']}]) }}

with versions as (
    select
        *,
        coalesce(updated_at, occurred_at) as written_at
    from {{ changed_versions() }}
    where source_system is not null
),

{%- if held_tickets %}

held as (
    select
        source_system,
        ticket_id
    from {{ held_tickets }}
    where released_at is null
),
{%- endif %}

-- A version ends when the first higher one is written. One that was written later than that was never the newest: its time is empty.
superseded as (
    select
        *,
        min(written_at) over (
            partition by source_system, ticket_id
            order by is_latest desc, version desc, idempotency_key desc
            rows between unbounded preceding and 1 preceding
        ) as next_written_at
    from versions
),

signals as (
    select
        idempotency_key,
        {{ surrogate_key(['source_system', 'ticket_id']) }} as ticket_key,
        source_system,
        ticket_id,
        version,
        event_id,
        account_id,
        occurred_at,
        written_at as valid_from,
        case when not is_latest then greatest(written_at, next_written_at) end as valid_to,
        is_latest,
        sentiment,
        sentiment_score,
        churn_risk,
        effort,
        raw_tags,
        canonical_tag_applied as canonical_tag,
        driver_applied as driver,
        custom_metrics,
        evidence_url,
        evidence_quote,
        updated_at,
        store_committed_at,
        captured_at,
        landed_at,
        date_trunc('minute', landed_at) as landed_minute,
        landed_xid::text::bigint as landed_transaction
    from superseded
    {%- if held_tickets %}
    where (source_system, ticket_id) not in (
        select
            held.source_system,
            held.ticket_id
        from held
    )
    {%- endif %}
)

select *
from signals
{%- if held_tickets and published %}
union all
select {{ columns_as_published(published, mart_columns()) }}
from {{ published }} as published
inner join held
    on
        published.source_system = held.source_system
        and published.ticket_id = held.ticket_id
{%- endif %}
