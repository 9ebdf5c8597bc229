-- Grain: one row per driver that is mapped today or was applied to a signal, and one `unmapped`.
with mapping as (
    select *
    from {{ ref('int_tag_mapping') }}
    where is_mapped
),

owners as (
    select distinct on (driver)
        driver,
        owner
    from mapping
    where owner is not null
    order by driver asc, updated_at desc nulls last, raw_tag asc
),

mapped as (
    select
        driver,
        count(distinct canonical_tag) as canonical_tag_count,
        count(*) as raw_tag_count
    from mapping
    group by driver
),

observed as ({{ observed_tags() }}),

named as (
    select driver from mapped
    union
    select driver from observed
    union
    select 'unmapped'
)

select
    named.driver,
    owners.owner,
    coalesce(mapped.canonical_tag_count, 0) as canonical_tag_count,
    coalesce(mapped.raw_tag_count, 0) as raw_tag_count,
    mapped.driver is not null and named.driver <> 'unmapped' as is_mapped
from named
left join mapped
    on named.driver = mapped.driver
left join owners
    on named.driver = owners.driver
