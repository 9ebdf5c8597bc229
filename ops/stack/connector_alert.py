"""The alert that nothing is captured: raised where it is noticed, over once the connector runs."""

from textwrap import shorten

import psycopg

FINGERPRINT = "stack:connector"
RAISE = """
insert into ops.alert_outbox (fingerprint, state, severity, owner, summary, details)
values (
    %(fingerprint)s, %(state)s, 'critical', 'data-platform', %(summary)s,
    jsonb_build_object('remedy', %(remedy)s::text, 'runbook', 'lost-slot')
)
"""
NEWEST = "select state = 'firing' from ops.alert_outbox where fingerprint = %s order by alert_id desc limit 1"
REMEDY = (
    "Read .run/logs/connect.log and `cx status`. A lost slot, or one beyond the stored offset, needs a new snapshot; "
    "a passing fault needs `cx up` again."
)


def is_firing(warehouse_url: str) -> bool:
    """Whether the newest thing people were told is that nothing is captured."""
    with psycopg.connect(warehouse_url, connect_timeout=5) as connection:
        row = connection.execute(NEWEST, [FINGERPRINT]).fetchone()
    return bool(row and row[0])


def write(warehouse_url: str, state: str, summary: str) -> None:
    """Put the alert into the outbox. `state` is firing or ok."""
    values = {"fingerprint": FINGERPRINT, "state": state, "summary": shorten(summary, 300, placeholder=" …"), "remedy": REMEDY}
    with psycopg.connect(warehouse_url, connect_timeout=5) as connection:
        connection.execute(RAISE, values)
