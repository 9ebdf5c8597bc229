-- Grain: one row per account that is known or named by a signal, and one `unknown` for signals without an account.
-- depends_on: {{ ref('touched_accounts') }}
with candidates as (
    {%- if is_incremental() %}
    select account_id
    from {{ ref('touched_accounts') }}
    {%- else %}
    select account_id
    from {{ ref('fct_ticket_signals') }}
    union
    select account_id
    from {{ ref('stg_landing__accounts') }}
    union
    select 'unknown' as account_id
    {%- endif %}
),

known as (
    select *
    from {{ ref('stg_landing__accounts') }}
    where not is_deleted
)

select
    candidates.account_id,
    known.account_name,
    known.plan,
    known.segment,
    known.owner,
    known.account_id is not null as is_known,
    known.updated_at
from candidates
left join known
    on candidates.account_id = known.account_id
where
    candidates.account_id = 'unknown'
    or known.account_id is not null
    or exists (
        select
        from {{ ref('fct_ticket_signals') }} as signals
        where signals.account_id = candidates.account_id
    )
