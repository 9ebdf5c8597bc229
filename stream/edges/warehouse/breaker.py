"""landing.breaker: whether the stream stopped because of a flood; it outlives the worker."""

from sqlalchemy import Connection, text

IS_OPEN = text("select is_open from landing.breaker")
SET = text("""
update landing.breaker set is_open = :is_open, changed_at = clock_timestamp() where is_open <> :is_open returning true
""")


def is_open(connection: Connection) -> bool:
    """Whether the breaker is open."""
    return bool(connection.scalar(IS_OPEN))


def set_open(connection: Connection, is_open: bool) -> bool:
    """Open or close the breaker; whether that is news."""
    return bool(connection.scalar(SET, {"is_open": is_open}))
