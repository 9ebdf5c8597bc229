{#-
  rising, falling or steady: the mean churn level of a period against the period of equal length before it; new when that one is empty.
  The means are compared as products of whole numbers, so rounding never decides.
-#}
{% macro trend(period) -%}
    {%- set now = 'totals.churn_level_sum_' ~ period ~ ' * totals.signal_count_previous_' ~ period -%}
    {%- set before = 'totals.churn_level_sum_previous_' ~ period ~ ' * totals.signal_count_' ~ period -%}
    case
        when totals.signal_count_previous_{{ period }} = 0 then 'new'
        when {{ now }} > {{ before }} then 'rising'
        when {{ now }} < {{ before }} then 'falling'
        else 'steady'
    end
{%- endmacro %}
