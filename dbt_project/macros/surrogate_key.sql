{#- One text key for several columns: the MD5 of their JSON array, which keeps ('a', 'bc') and ('ab', 'c') apart. -#}
{% macro surrogate_key(columns) -%}
    md5(jsonb_build_array({{ columns | join(', ') }})::text)
{%- endmacro %}
