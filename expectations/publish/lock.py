"""One publisher at a time: a session lock of the very connection that publishes, so that losing one loses the other."""

import psycopg
from psycopg import Connection

PUBLISHER_LOCK = 5_270_113  # any constant; it only has to be ours within the warehouse


class Occupied(Exception):
    """Another publisher is at work; the message says which."""


def connect(url: str) -> Connection:
    """Open the publisher's connection and take the lock.

    Raises:
        Occupied: another session holds it.
        psycopg.OperationalError: the warehouse cannot be reached.
    """
    connection = psycopg.connect(url, autocommit=True, application_name="cx publish", options="-c jit=off", connect_timeout=10)
    row = connection.execute("select pg_try_advisory_lock(%s)", [PUBLISHER_LOCK]).fetchone()
    if row and row[0]:
        return connection
    holder = connection.execute(
        "select activity.pid, activity.backend_start from pg_locks as lock join pg_stat_activity as activity using (pid)"
        " where lock.locktype = 'advisory' and lock.objid = %s and lock.granted",
        [PUBLISHER_LOCK],
    ).fetchone()
    connection.close()
    since = f" (database session {holder[0]}, since {holder[1]:%Y-%m-%d %H:%M:%S %Z})" if holder else ""
    raise Occupied(f"another publisher is at work{since}: stop it first, or let it publish")
