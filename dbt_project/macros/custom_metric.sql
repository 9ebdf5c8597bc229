{#-
  Turns one key of custom_metrics into a column. A value of another kind than asked for becomes null, never an error.

  Args:
      key: name of the metric, as the enrichment product writes it.
      data_type: numeric, boolean or text.
      column: the jsonb column; custom_metrics unless it has an alias before it.

  Example: select ticket_id, {{ custom_metric('handle_seconds', 'numeric') }} as handle_seconds from {{ ref('fct_ticket_signals') }}
-#}
{% macro custom_metric(key, data_type='text', column='custom_metrics') -%}
    {%- set json_type = {'numeric': 'number', 'boolean': 'boolean', 'text': 'string'}[data_type] -%}
    case
        when jsonb_typeof({{ column }} -> {{ text_literal(key) }}) = '{{ json_type }}'
            then ({{ column }} ->> {{ text_literal(key) }})::{{ data_type }}
    end
{%- endmacro %}
