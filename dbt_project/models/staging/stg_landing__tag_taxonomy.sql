-- Grain: one row per raw tag that is mapped today.
select
    raw_tag,
    canonical_tag,
    driver,
    owner,
    updated_at,
    landed_at,
    landed_xid
from {{ source('landing', 'tag_taxonomy') }}
where not is_deleted
