"""The enrichment store, read only: the columns it has now."""

import psycopg

from stream.core.contract.rows import ROW_TYPES
from stream.core.drift import column_differences
from stream.core.records import Difference

COLUMNS = """
select table_name, array_agg(column_name::text)
from information_schema.columns
where table_schema = 'enrichment' and table_name = any(%s)
group by table_name
"""


def store_differences(url: str) -> list[Difference]:
    """How the store's captured tables differ from the contract. Raises psycopg.Error when the store cannot be read."""
    with psycopg.connect(url, connect_timeout=10) as connection:
        rows = connection.execute(COLUMNS, [list(ROW_TYPES)]).fetchall()
    return [difference for table, columns in rows for difference in column_differences(table, columns)]
