"""One publisher at a time: a session lock of the very connection that publishes, so that losing one loses the other."""

import re

import psycopg
from psycopg import Connection

PUBLISHER_LOCK = 5_270_113  # any constant; it only has to be ours within the warehouse
# Of the publisher's sessions: a first build joins millions of tickets, and its statements are not worth compiling.
SESSION_OPTIONS = "-c jit=off -c work_mem=64MB"

# While connecting the driver hands on the server's and libpq's words, without a SQLSTATE.
REFUSED = re.compile(
    "password authentication failed.*|no password supplied.*|no pg_hba.conf entry.*|certificate verify failed.*"
    "|(role|database) .* (does not exist|is not permitted to log in).*|root certificate file .*|server does not support SSL.*"
    "|server certificate for .* does not match.*|.*invalid sslmode.*|permission denied for database.*"
)


class Occupied(Exception):
    """Another publisher is at work; the message says which."""


class Refused(Exception):
    """The warehouse does not let this user in, and waiting does not help; the message says why and what to look at."""


def connect(url: str) -> Connection:
    """Open the publisher's connection and take the lock.

    Raises:
        Occupied: another session holds it.
        Refused: a wrong password, an unknown role or database, a certificate that is not trusted.
        psycopg.OperationalError: the warehouse cannot be reached.
    """
    connection = _let_in(url)
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


def _let_in(url: str) -> Connection:
    try:
        return psycopg.connect(url, autocommit=True, application_name="cx publish", options=SESSION_OPTIONS, connect_timeout=10)
    except psycopg.OperationalError as error:
        if refused := REFUSED.search(str(error)):
            raise Refused(
                f"the warehouse does not let this user in: {refused[0].strip()}; check CX_PUBLISHER_URL or CX_WAREHOUSE_URL"
            ) from error
        raise
