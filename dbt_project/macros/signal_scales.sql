{#- positive 1, neutral 0, negative -1: sums of it are net sentiment. -#}
{% macro sentiment_value(column) -%}
    case {{ column }} when 'positive' then 1 when 'negative' then -1 else 0 end
{%- endmacro %}


{#- none 0, low 1, medium 2, high 3. -#}
{% macro churn_level(column) -%}
    case {{ column }} when 'high' then 3 when 'medium' then 2 when 'low' then 1 else 0 end
{%- endmacro %}


{#- low 1, medium 2, high 3. -#}
{% macro effort_level(column) -%}
    case {{ column }} when 'high' then 3 when 'medium' then 2 else 1 end
{%- endmacro %}


{#- Order in which signals are bad, worst first: negative, lowest score, highest churn risk, newest, then by ticket so that ties never flip. -#}
{% macro worst_first() -%}
    sentiment_value asc, sentiment_score asc nulls last, churn_level desc, occurred_at desc, source_system asc, ticket_id asc
{%- endmacro %}
