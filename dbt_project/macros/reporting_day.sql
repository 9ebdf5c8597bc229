{#- The calendar day of an instant in the zone of variable `timezone`. -#}
{% macro reporting_day(column) -%}
    ({{ column }} at time zone {{ text_literal(var('timezone')) }})::date
{%- endmacro %}
