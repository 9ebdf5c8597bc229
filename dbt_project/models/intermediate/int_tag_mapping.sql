-- Grain: one row per raw tag that is or was mapped, with the window in which that last changed.
-- The bridge as this cycle saw it: every later model of the cycle reads the mapping here, not the moving landing table.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='raw_tag',
    indexes=[{'columns': ['raw_tag'], 'unique': true}],
) }}

with bridge as (
    select *
    from {{ ref('int_tag_bridge') }}
)
{%- if is_incremental() %},

stored as (
    select *
    from {{ this }}
)

select
    coalesce(bridge.raw_tag, stored.raw_tag) as raw_tag,
    bridge.canonical_tag,
    bridge.driver,
    bridge.owner,
    bridge.updated_at,
    bridge.raw_tag is not null as is_mapped,
    {{ window_number() }} as changed_in_window
from bridge
full outer join stored
    on bridge.raw_tag = stored.raw_tag
where
    (bridge.canonical_tag, bridge.driver, bridge.owner, bridge.updated_at)
    is distinct from (stored.canonical_tag, stored.driver, stored.owner, stored.updated_at)
{%- else %}

select
    raw_tag,
    canonical_tag,
    driver,
    owner,
    updated_at,
    true as is_mapped,
    {{ window_number() }} as changed_in_window
from bridge
{%- endif %}
