-- Question: how long do agents need per driver? A custom metric of the enrichment product as a column.
select
    driver,
    count(*) as signal_count,
    round(avg({{ custom_metric('handle_seconds', 'numeric') }}), 1) as mean_handle_seconds
from {{ ref('fct_ticket_signals') }}
group by driver
order by signal_count desc
