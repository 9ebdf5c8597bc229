"""The incidents of a week, with the time it took to notice and to mend each."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from ops.alerts import facts
from ops.alerts.incidents import Incident, rank
from ops.alerts.ledger import INCIDENT_COLUMNS
from ops.report.weeks import Week

INCIDENTS = f"""
select {INCIDENT_COLUMNS}
from ops.incidents
where opened_at < %(end)s and (over_at is null or over_at >= %(start)s)
order by opened_at
"""


@dataclass(frozen=True)
class Lasted:
    """An incident with its times. `mended` is None while it is open."""

    incident: Incident
    since: datetime
    noticed: timedelta
    mended: timedelta | None


def during(connection: Connection[Any], week: Week) -> list[Lasted]:
    """Incidents that were open at some moment of the week, the most severe first."""
    with connection.cursor(row_factory=class_row(Incident)) as cursor:
        found = cursor.execute(INCIDENTS, {"start": week.start, "end": week.end}).fetchall()
    return sorted(map(timed, found), key=lambda one: (-rank(one.incident.severity), one.since))


def timed(incident: Incident) -> Lasted:
    """Noticed: from when it began until it was noticed. Mended: from when it began until it was over."""
    since = facts.since(incident.details, incident.opened_at)
    return Lasted(incident, since, incident.opened_at - since, incident.over_at - since if incident.over_at else None)


def typical(lasted: list[Lasted]) -> tuple[timedelta | None, timedelta | None]:
    """Median time to notice and to mend; None without any."""
    noticed = [one.noticed.total_seconds() for one in lasted]
    mended = [one.mended.total_seconds() for one in lasted if one.mended is not None]
    return _median(noticed), _median(mended)


def _median(seconds: list[float]) -> timedelta | None:
    return timedelta(seconds=median(seconds)) if seconds else None
