"""Recording that an incident was not a problem, and naming the checks whose flags pile up."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from ops.alerts.markup import clip, one_line

RECORDED, ALREADY, UNKNOWN = "recorded", "already", "unknown"
WHY_LENGTH, NAME_LENGTH = 2000, 100


@dataclass(frozen=True)
class Precision:
    """How often a check was right, within the days asked for."""

    fingerprint: str
    incidents: int
    flagged: int
    reasons: tuple[str, ...]


def record(connection: Connection[Any], incident_id: int, *, name: str, why: str, via: str, nonce: str | None = None) -> str:
    """Store one flag; the same nonce counts once.

    Returns: RECORDED, ALREADY (this nonce was used), or UNKNOWN (no such incident).
    """
    query = """
        insert into ops.alert_flags (incident_id, fingerprint, flagged_by, why, via, nonce)
        select incident_id, fingerprint, %s, %s, %s, %s from ops.incidents where incident_id = %s
        on conflict (nonce) do nothing returning flag_id"""
    with connection.transaction():
        parameters = (clip(one_line(name), NAME_LENGTH), clip(one_line(why), WHY_LENGTH), via, nonce, incident_id)
        if connection.execute(query, parameters).fetchone():
            return RECORDED
        known = connection.execute("select from ops.incidents where incident_id = %s", (incident_id,)).fetchone()
        return UNKNOWN if known is None else ALREADY


def precision(connection: Connection[Any], days: int = 28) -> list[Precision]:
    """Per check: incidents opened in the last days, how many were flagged, and the newest reasons given."""
    query = """
        with recent as (
            select incident_id, fingerprint from ops.incidents where opened_at > clock_timestamp() - make_interval(days => %s)
        ),
        flagged as (
            select incident_id, (array_agg(why order by flagged_at desc))[1] as why, max(flagged_at) as flagged_at
            from ops.alert_flags group by incident_id
        )
        select fingerprint, count(*), count(flagged.incident_id),
            (array_agg(why order by flagged_at desc) filter (where why is not null))[:3]
        from recent left join flagged using (incident_id)
        group by fingerprint order by count(flagged.incident_id) desc, fingerprint"""
    return [Precision(name, total, flagged, tuple(why or ())) for name, total, flagged, why in connection.execute(query, (days,))]


def suggestions(rows: Iterable[Precision], at_least: int = 3, share: float = 0.5) -> list[str]:
    """One sentence per check whose flags pile up. Nothing is silenced: a person changes the check or its routes."""
    return [
        f"{row.fingerprint}: {row.flagged} of {row.incidents} incidents were flagged as not a problem "
        f"({'; '.join(row.reasons)}). Look at its threshold, or lower its severity, in its suite."
        for row in rows
        if row.flagged >= at_least and row.flagged >= share * row.incidents
    ]
