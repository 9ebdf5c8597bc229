-- Grain: one row per day, driver and source system that a changed ticket left or joined.
-- A table, analyzed: how few days it holds decides whether their tickets are looked up or all tickets are read.
{{ config(materialized='incremental', incremental_strategy='replace', post_hook='analyze {{ this }}') }}

select
    signal_date,
    driver,
    source_system
from {{ ref('int_touched_keys') }}
where signal_date is not null
union
select
    signals.signal_date,
    signals.driver,
    signals.source_system
from {{ ref('touched_tickets') }} as touched_tickets
inner join {{ ref('fct_ticket_signals') }} as signals
    on
        touched_tickets.source_system = signals.source_system
        and touched_tickets.ticket_id = signals.ticket_id
