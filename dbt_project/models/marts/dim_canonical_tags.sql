-- Grain: one row per canonical tag that is mapped today or was applied to a signal, and one `unmapped`.
with mapping as (
    select *
    from {{ ref('int_tag_mapping') }}
    where is_mapped
),

owners as (
    select distinct on (canonical_tag)
        canonical_tag,
        owner
    from mapping
    where owner is not null
    order by canonical_tag asc, updated_at desc nulls last, raw_tag asc
),

mapped as (
    select
        canonical_tag,
        min(driver) as driver,
        array_agg(raw_tag order by raw_tag) as raw_tags,
        count(*) as raw_tag_count
    from mapping
    group by canonical_tag
),

observed as ({{ observed_tags() }}),

named as (
    select canonical_tag from mapped
    union
    select canonical_tag from observed
    union
    select 'unmapped'
)

select
    named.canonical_tag,
    coalesce(mapped.driver, 'unmapped') as driver,
    owners.owner,
    coalesce(mapped.raw_tags, '{}') as raw_tags,
    coalesce(mapped.raw_tag_count, 0) as raw_tag_count,
    mapped.canonical_tag is not null as is_mapped
from named
left join mapped
    on named.canonical_tag = mapped.canonical_tag
left join owners
    on named.canonical_tag = owners.canonical_tag
