"""Reading rows without their types: SQL text says nothing about them, the receiving function does."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, TextClause


def read(connection: Connection, statement: TextClause, parameters: Mapping[str, object] | None = None) -> Iterable[Any]:
    """The rows of a query."""
    return connection.execute(statement, parameters or {})


def cursor(connection: Connection) -> Any:
    """psycopg's own cursor inside the transaction, for COPY."""
    return connection.connection.cursor()
