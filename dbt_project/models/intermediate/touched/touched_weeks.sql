-- Grain: one row per week (its Monday) whose numbers, or whose comparison with the week before, may differ.
select distinct date_trunc('week', touched.signal_date)::date + weeks.later as week_start_date
from {{ ref('touched_driver_days') }} as touched
cross join (values (0), (7)) as weeks (later)
