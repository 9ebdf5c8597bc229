"""How far the store's tickets have come: landed (or dead-lettered), and published."""

import json
from dataclasses import dataclass

import psycopg

IDENTITIES = "select source_system, ticket_id from enrichment.ticket_signals"
LANDED = """
with expected as (
    select identity ->> 0 as source_system, identity ->> 1 as ticket_id
    from jsonb_array_elements(%s::jsonb) as identity
),

arrived as (
    select source_system, ticket_id from landing.ticket_signal_versions
    union
    select source_system, ticket_id from landing.dead_letters
)

select count(*) from expected inner join arrived using (source_system, ticket_id)
"""
IS_PUBLISHED = """
select exists (select from marts.publications) and not exists (
    select
    from landing.ticket_signal_versions
    where not pg_visible_in_snapshot(
        landed_xid,
        (select to_snapshot from marts.publications order by id desc limit 1)
    )
)
"""
HINDRANCE = """
select outcome || ': ' || message
from (select outcome, message from ops.publish_cycles order by cycle_id desc limit 1) as newest
where outcome <> 'published'
"""


@dataclass(frozen=True)
class Coverage:
    """`hindrance` is why the newest publish cycle did not publish, else empty."""

    tickets: int
    arrived: int
    published: bool
    hindrance: str = ""

    @property
    def is_complete(self) -> bool:
        return self.arrived == self.tickets and self.published


def look(store_url: str, warehouse_url: str) -> Coverage:
    """Compare the tickets of the store with landing and the newest publication. Raises psycopg.Error."""
    with psycopg.connect(store_url, connect_timeout=5) as store:
        identities = store.execute(IDENTITIES).fetchall()
    with psycopg.connect(warehouse_url, connect_timeout=5) as warehouse:
        (arrived,) = warehouse.execute(LANDED, (json.dumps(identities),)).fetchone() or (0,)
        (published,) = warehouse.execute(IS_PUBLISHED).fetchone() or (False,)
        (hindrance,) = warehouse.execute(HINDRANCE).fetchone() or ("",)
    return Coverage(len(identities), arrived, published, hindrance)
