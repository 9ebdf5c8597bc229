{#-
  Distinct pairs of canonical tag and driver among the signals, applied or current. Steps from value to value through the two
  indexes, so its cost follows the number of tags and not of tickets.
-#}
{% macro observed_tags() -%}
    {%- for mapping in ['applied', 'current'] %}
    select
        walk.canonical_tag,
        walk.driver
    from (
        with recursive walk as (
            (
                select
                    canonical_tag_{{ mapping }} as canonical_tag,
                    driver_{{ mapping }} as driver
                from {{ ref('fct_ticket_signals') }}
                order by 1, 2
                limit 1
            )
            union all
            select
                following.canonical_tag,
                following.driver
            from walk
            cross join lateral (
                select
                    signals.canonical_tag_{{ mapping }} as canonical_tag,
                    signals.driver_{{ mapping }} as driver
                from {{ ref('fct_ticket_signals') }} as signals
                where (signals.canonical_tag_{{ mapping }}, signals.driver_{{ mapping }}) > (walk.canonical_tag, walk.driver)
                order by 1, 2
                limit 1
            ) as following
        )

        select *
        from walk
    ) as walk
    {{ 'union' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
