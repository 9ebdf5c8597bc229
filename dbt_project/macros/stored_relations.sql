{#- A table of this project as the last run left it, or none. Without a ref: for models that read what they will change later. -#}
{% macro in_build(name, schema='build') -%}
    {%- if not execute -%}{{ return(none) }}{%- endif -%}
    {%- set schema_name = schema if target.name == 'prod' else target.schema -%}
    {{ return(adapter.get_relation(database=target.database, schema=schema_name, identifier=name)) }}
{%- endmacro %}


{#- The relation when the database has it, else none: the publisher's tables are missing where it never ran. -#}
{% macro if_exists(relation) -%}
    {%- if not execute -%}{{ return(none) }}{%- endif -%}
    {{ return(adapter.get_relation(database=relation.database, schema=relation.schema, identifier=relation.identifier)) }}
{%- endmacro %}


{#- Whether this run creates both facts of tickets anew, so that they read everything and not only what changed. -#}
{% macro facts_are_built_from_scratch() -%}
    {%- set stored = in_build('fct_ticket_signals') or in_build('fct_ticket_signal_versions') -%}
    {{ return(flags.FULL_REFRESH or stored is none) }}
{%- endmacro %}


{#- The ticket versions a fact has to look at: those of changed tickets, or all of them when the fact is built from scratch. -#}
{% macro changed_versions() -%}
    {%- set changed, all_versions = ref('int_changed_ticket_versions'), ref('int_mapped_ticket_versions') -%}
    {{ return(changed if is_incremental() else all_versions) }}
{%- endmacro %}


{#- Names and types of the columns that the contract of this model promises, in order. -#}
{% macro mart_columns() -%}
    {{ return(model.columns.values() | list) }}
{%- endmacro %}


{#- A select list that takes a mart's columns from its published table; a column that is not published yet is null. -#}
{% macro columns_as_published(published, columns) -%}
    {%- set stored = adapter.get_columns_in_relation(published) | map(attribute='name') | list -%}
    {%- for column in columns -%}
        {{ 'published.' ~ column.name if column.name in stored else 'null::' ~ column.data_type }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
