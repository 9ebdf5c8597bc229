{#- The table of one row that says which landing rows a cycle reads: those that to_snapshot sees and from_snapshot does not. -#}
{% macro cycle_window() -%}
    {{ return(api.Relation.create(database=target.database, schema=target.schema, identifier='cycle_window')) }}
{%- endmacro %}


{#- Runs before every invocation. Only a run of the whole cycle moves the window; a full refresh of anything opens it wide. -#}
{% macro open_cycle_window() -%}
    {%- if execute -%}
        {%- set window = cycle_window() -%}
        {%- set touched = [in_build('int_touched_keys', schema='intermediate'), in_build('touched_minutes')] | select | selectattr('is_table') -%}
        {%- set settings = 'timezone=' ~ var('timezone') ~ ' restate_history=' ~ var('restate_history') -%}
        do $window$ begin
            if to_regclass('{{ window }}') is null then
                create schema if not exists {{ window.schema }};
                create table {{ window }} (
                    only_row boolean primary key default true check (only_row),
                    from_snapshot pg_snapshot,
                    to_snapshot pg_snapshot,
                    opened_at timestamptz not null default clock_timestamp(),
                    window_number bigint not null default 1,
                    opened_from text,
                    settings text
                );
                insert into {{ window }} default values;
            end if;
            {%- if flags.WHICH in ('run', 'build') and flags.FULL_REFRESH %}
            update {{ window }} set from_snapshot = null;
            {%- endif %}
            {%- if runs_whole_cycle() %}
            update {{ window }}
            set from_snapshot = null, settings = {{ text_literal(settings) }}
            where settings is distinct from {{ text_literal(settings) }};
            if (select from_snapshot::text <> coalesce(opened_from, '') from {{ window }}) then
                update {{ window }}
                set opened_from = from_snapshot::text, window_number = window_number + 1, opened_at = clock_timestamp();
                {%- for keys in touched %}
                truncate {{ keys }};
                {%- endfor %}
            end if;
            update {{ window }} set to_snapshot = pg_current_snapshot();
            {%- endif %}
        end $window$
    {%- endif -%}
{%- endmacro %}


{#- Runs after every invocation. The publisher closes the window of prod when it publishes; elsewhere a whole good run does. -#}
{% macro close_cycle_window() -%}
    {%- if execute and target.name != 'prod' and flags.WHICH in ('run', 'build') -%}
        {%- set done = results | selectattr('status', 'equalto', 'success') | map(attribute='node.unique_id') | list -%}
        {%- if cycle_models() | reject('in', done) | list | length == 0 -%}
            update {{ cycle_window() }} set from_snapshot = to_snapshot
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}


{#- Whether this invocation builds every model that holds data. -#}
{% macro runs_whole_cycle() -%}
    {%- set missing = cycle_models() | reject('in', selected_resources) | list -%}
    {{ return(flags.WHICH in ('run', 'build') and missing | length == 0) }}
{%- endmacro %}


{#- Ids of the models that hold data, the ones of selector `cycle`. -#}
{% macro cycle_models() -%}
    {%- set found = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.config.materialized in ('incremental', 'table') -%}
        {%- do found.append(node.unique_id) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}


{#- SQL condition: the row landed within the window. Literals, because a subquery would hide from the planner how few rows match. -#}
{% macro landed_in_window() -%}
    {%- set window = window_bounds() -%}
    {{ return(landed_between(window.from_snapshot, window.to_snapshot)) }}
{%- endmacro %}


{#- SQL condition: `to` sees the transaction that landed the row and `from` does not; none on either side is no bound. -#}
{% macro landed_between(from_snapshot, to_snapshot) -%}
    {%- set conditions = ['true'] -%}
    {%- if from_snapshot -%}
        {%- do conditions.append("landed_xid >= '" ~ from_snapshot.split(':')[0] ~ "'::xid8") -%}
        {%- do conditions.append("not pg_visible_in_snapshot(landed_xid, '" ~ from_snapshot ~ "'::pg_snapshot)") -%}
    {%- endif -%}
    {%- if from_snapshot and to_snapshot -%}
        {%- do conditions.append("pg_visible_in_snapshot(landed_xid, '" ~ to_snapshot ~ "'::pg_snapshot)") -%}
    {%- endif -%}
    {{ return(conditions | join(' and ')) }}
{%- endmacro %}


{#- The window as a dict: from_snapshot, to_snapshot (text or none) and window_number. -#}
{% macro window_bounds() -%}
    {%- if not execute -%}
        {{ return({'from_snapshot': none, 'to_snapshot': none, 'window_number': 0}) }}
    {%- endif -%}
    {%- set row = run_query(
        'select from_snapshot::text, to_snapshot::text, window_number from ' ~ cycle_window()
    ).rows[0] -%}
    {{ return({'from_snapshot': row[0], 'to_snapshot': row[1], 'window_number': row[2] | int}) }}
{%- endmacro %}


{#- Whether this cycle recomputes everything: nothing was read before, a full refresh began, or a setting changed. -#}
{% macro window_is_open_wide() -%}
    {{ return(window_bounds().from_snapshot is none) }}
{%- endmacro %}


{#- SQL condition: the row belongs to the newest publication, whose moment became known after the cycle that built it. -#}
{% macro landed_in_last_publication(publications) -%}
    {%- set rows = run_query(
        'select from_snapshot::text, to_snapshot::text from ' ~ publications ~ ' order by id desc limit 1'
    ).rows if execute else [] -%}
    {{ return(landed_between(rows[0][0], rows[0][1]) if rows | length else 'false') }}
{%- endmacro %}


{#- SQL condition: landed_minute is one that touched_minutes lists. Literals, because few minutes may hold many versions. -#}
{% macro landed_in_touched_minute() -%}
    {%- set minutes = run_query(
        "select coalesce(array_agg(landed_minute), '{}')::text from " ~ ref('touched_minutes')
    ).rows[0][0] if execute else '{}' -%}
    {{ return('landed_minute = any(' ~ text_literal(minutes) ~ '::timestamptz[])') }}
{%- endmacro %}


{#- Number of the window: it grows with each publish. -#}
{% macro window_number() -%}
    {{ return(window_bounds().window_number) }}
{%- endmacro %}
