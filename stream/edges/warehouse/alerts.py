"""ops.alert_outbox and landing.schema_drifts: alerts are written in the transaction that noticed their cause."""

import json
from collections.abc import Collection, Iterable

from sqlalchemy import Connection, text

from stream.core.alerts import Alert
from stream.core.records import Difference

RAISE = text("""
insert into ops.alert_outbox (fingerprint, state, severity, owner, summary, details)
values (:fingerprint, :state, :severity, :owner, :summary, cast(:details as jsonb))
""")

REMEMBER = text("""
insert into landing.schema_drifts (table_name, kind, column_name)
values (:table, :kind, :column)
on conflict do nothing
returning true
""")


def raise_alerts(connection: Connection, alerts: Iterable[Alert]) -> None:
    """Put alerts into the outbox."""
    for alert in alerts:
        values = {name: getattr(alert, name) for name in alert.__struct_fields__}
        connection.execute(RAISE, {**values, "details": json.dumps(alert.details)})


def remember_drifts(connection: Connection, differences: Collection[Difference]) -> list[Difference]:
    """Remember differences; return those that were not known."""
    return [one for one in sorted(differences) if connection.scalar(REMEMBER, one._asdict())]
