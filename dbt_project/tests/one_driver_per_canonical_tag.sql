-- A canonical tag leads to one driver, whichever raw tag a signal came by.
select canonical_tag
from {{ ref('int_tag_mapping') }}
where is_mapped
group by canonical_tag
having count(distinct driver) > 1
