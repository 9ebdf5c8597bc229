"""What a database error means: one table from SQLSTATE to retry, isolate or stop, to the sentence an operator needs."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from stream.errors import Misconfigured, RefusedRecord, StreamError, Unavailable


class Meaning(NamedTuple):
    """What an SQLSTATE, or a class of them, means."""

    error: type[StreamError]
    sentence: str


MEANINGS: dict[str, Meaning] = {
    "08": Meaning(Unavailable, "The connection to the warehouse broke; check that it runs and is reachable."),
    "40": Meaning(Unavailable, "The warehouse rolled the batch back (deadlock or serialization); it will be tried again."),
    "23505": Meaning(Unavailable, "Another worker wrote the same key meanwhile; the batch will be read and tried again."),
    "53": Meaning(Unavailable, "The warehouse is out of disk, memory or connections; free some, the stream catches up."),
    "57": Meaning(Unavailable, "The warehouse is shutting down, starting or cancelled the batch (statement timeout)."),
    "58": Meaning(Unavailable, "The warehouse's machine reported an I/O error; check its disk."),
    "55": Meaning(Unavailable, "A lock in the warehouse is held by something else; see pg_stat_activity."),
    "25006": Meaning(Unavailable, "The warehouse is read-only (a standby?): point CX_WAREHOUSE_URL to the primary."),
    "XX": Meaning(Unavailable, "The warehouse reported an internal error; see its log."),
    "22": Meaning(RefusedRecord, "The warehouse refused a value."),
    "23": Meaning(RefusedRecord, "The warehouse refused a row."),
    "54": Meaning(RefusedRecord, "The warehouse refused a row that is too large."),
    "28": Meaning(Misconfigured, "The warehouse does not accept this user: check CX_WAREHOUSE_URL."),
    "3D": Meaning(Misconfigured, "The warehouse's database does not exist: check CX_WAREHOUSE_URL."),
    "42": Meaning(Misconfigured, "The warehouse's schema is not what this version needs: run `cx up`, which migrates it."),
}
UNKNOWN = Meaning(Misconfigured, "The warehouse reported an error nobody has classified.")
# While connecting the driver hands on the server's and libpq's words, without a SQLSTATE.
REFUSED = re.compile(
    "password authentication failed.*|no password supplied.*|no pg_hba.conf entry.*|certificate verify failed.*"
    "|(role|database) .* (does not exist|is not permitted to log in).*|root certificate file .*|server does not support SSL.*"
    "|server certificate for .* does not match.*|.*invalid sslmode.*|permission denied for database.*"
)
NO_STATE = Meaning(Unavailable, "The warehouse cannot be reached; check that it runs.")


def meaning_of(sqlstate: str | None) -> Meaning:
    """The most particular entry: the state itself, else its class."""
    if sqlstate is None:
        return NO_STATE
    return MEANINGS.get(sqlstate) or MEANINGS.get(sqlstate[:2]) or UNKNOWN


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's exceptions into this edge's, once, at the border."""
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable(NO_STATE.sentence) from error
    except DBAPIError as error:
        raise _translate(error.orig) from error
    except psycopg.Error as error:
        raise _translate(error) from error


def _translate(error: BaseException | None) -> StreamError:
    sqlstate = getattr(error, "sqlstate", None)
    meaning = meaning_of(sqlstate)
    refused = REFUSED.search(str(error)) if sqlstate is None and isinstance(error, psycopg.OperationalError) else None
    if refused:
        return Misconfigured(f"The warehouse does not let this user in: {refused[0]}; check CX_WORKER_URL or CX_WAREHOUSE_URL.")
    if sqlstate is None and not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        meaning = Meaning(RefusedRecord, "The warehouse's driver refused a value.")
    return meaning.error(f"{meaning.sentence} ({type(error).__name__}, SQLSTATE {sqlstate or 'none'})")
