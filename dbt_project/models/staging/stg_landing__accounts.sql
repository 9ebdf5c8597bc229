-- Grain: one row per account that was ever captured; deleted ones have no attributes.
select
    account_id,
    name as account_name,
    plan,
    segment,
    owner,
    is_deleted,
    updated_at,
    landed_at,
    landed_xid
from {{ source('landing', 'accounts') }}
