-- Grain: one row per raw tag that the taxonomy maps today.
with mapped as (
    select *
    from {{ ref('stg_landing__tag_taxonomy') }}
    where canonical_tag is not null
),

-- A canonical tag has one driver; when its raw tags disagree, the newest edit says which.
driver_per_canonical_tag as (
    select distinct on (canonical_tag)
        canonical_tag,
        driver
    from mapped
    where driver is not null
    order by canonical_tag asc, updated_at desc nulls last, raw_tag asc
)

select
    mapped.raw_tag,
    mapped.canonical_tag,
    mapped.owner,
    mapped.updated_at,
    coalesce(driver_per_canonical_tag.driver, 'unmapped') as driver
from mapped
left join driver_per_canonical_tag
    on mapped.canonical_tag = driver_per_canonical_tag.canonical_tag
