{#- Comments change only with the project, so a publish cycle does not write hundreds of them again every few seconds. -#}
{% macro postgres__persist_docs(relation, model, for_relation, for_columns) -%}
    {%- if not (is_incremental() and invocation_args_dict.get('selector') == 'cycle') -%}
        {{ default__persist_docs(relation, model, for_relation, for_columns) }}
    {%- endif -%}
{%- endmacro %}
