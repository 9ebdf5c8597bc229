{#- The columns are a key: never null, never twice. Passes when the database has no such table, as where the publisher never ran. -#}
{% test key_where_present(model, columns) %}
{%- set names = columns | join(', ') %}
{%- if if_exists(model) %}
select {{ names }}
from {{ model }}
group by {{ names }}
having count(*) > 1 or {{ columns | join(' is null or ') }} is null
{%- else %}
select 1 as missing
where false
{%- endif %}
{% endtest %}
