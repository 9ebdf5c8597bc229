{#-
  Incremental strategy `replace`: delete the rows of every key that `meta.replaces.keys_in` lists, then insert the new rows.
  Unlike delete+insert it also removes keys that have no new row: a ticket that moved away, an emptied day.
  Without keys_in the whole table is replaced, for tables of a few hundred rows.
-#}
{% macro get_incremental_replace_sql(arg_dict) -%}
    {%- set replaces = config.get('meta', {}).get('replaces', {}) -%}
    {%- set target_relation = arg_dict['target_relation'] -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    delete from {{ target_relation }}
    {%- if replaces.keys_in %} as stored
    using {{ in_build(replaces.keys_in, schema=replaces.get('schema', 'build')) }} as touched
    where {% for column in replaces.key -%}
        stored.{{ column }} = touched.{{ (replaces.named or replaces.key)[loop.index0] }}{{ ' and ' if not loop.last }}
    {%- endfor %}
    {%- endif %};
    insert into {{ target_relation }} ({{ columns }})
    select {{ columns }}
    from {{ arg_dict['temp_relation'] }}
{%- endmacro %}
