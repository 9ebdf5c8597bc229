{#- prod: one schema per layer. Everywhere else one schema holds all layers, so engineers never meet. Seeds keep their own. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name and (target.name == 'prod' or node.resource_type == 'seed') -%}
        {{ custom_schema_name | trim }}
    {%- else -%}
        {{ target.schema }}
    {%- endif -%}
{%- endmacro %}
