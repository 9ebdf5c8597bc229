{#- SQL condition: the cycle that built the marts saw the row. Landing goes on while tests run. -#}
{% macro seen_by_the_cycle() -%}
    pg_visible_in_snapshot(landed_xid, (select to_snapshot from {{ cycle_window() }}))
{%- endmacro %}


{#- CTE body: tickets that cannot be compared with landing now, because they are held or have changed since the cycle. -#}
{% macro tickets_not_comparable() -%}
    {%- set held_tickets = if_exists(source('ops', 'held_tickets')) -%}
    {%- for landed in ['stg_landing__ticket_signal_versions', 'stg_landing__restated_tickets', 'stg_landing__deleted_tickets'] %}
    select
        source_system,
        ticket_id
    from {{ ref(landed) }}
    where not {{ seen_by_the_cycle() }}
    {{ 'union' if held_tickets or not loop.last }}
    {%- endfor %}
    {%- if held_tickets %}
    select
        source_system,
        ticket_id
    from {{ held_tickets }}
    {%- endif %}
{%- endmacro %}
