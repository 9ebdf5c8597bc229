-- Raw tags of one canonical tag that name different drivers: the newest edit wins, and its owner should settle the others.
{{ config(severity='warn') }}

select
    canonical_tag,
    array_agg(distinct driver) as drivers
from {{ ref('stg_landing__tag_taxonomy') }}
where canonical_tag is not null
group by canonical_tag
having count(distinct driver) > 1
