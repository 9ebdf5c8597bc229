"""A store and a warehouse with the stream's own rules between them, and nothing else: what is committed lands when told to."""

import json
from dataclasses import dataclass
from typing import Any

import psycopg

from stream.core.batch import divide
from stream.core.decode import decode
from stream.core.records import RawRecord
from stream.edges.warehouse.landing import Warehouse
from stream.worker import read_policy

TICKETS = """
insert into enrichment.ticket_signals
select gen_random_uuid(), '2026-01-01'::timestamptz + i * interval '1 second', 'zendesk', 'T-' || i, 'A-' || i %% 5,
    (array['positive', 'neutral', 'negative'])[i %% 3 + 1], (i %% 200 - 100) / 100.0, 'low', 'high', array['refund'],
    'refund', 'Billing', jsonb_build_object('csat', i %% 5, 'seconds', i * 1.50), 'https://support.example/' || i,
    'quote \\ '' ' || i, 'zendesk:' || i || ':1', 1
from generate_series(1, %s) as i
"""
ACCOUNTS = "insert into enrichment.accounts select 'A-' || i, 'Name', 'pro', 'smb', 'owner' from generate_series(0, 4) as i"
POSITION = "select (pg_current_wal_insert_lsn() - '0/0')::bigint"


@dataclass
class Line:
    """Both ends. `offset` numbers the records that were landed."""

    store_url: str
    warehouse_url: str
    offset: int = 0

    def store(self, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """Execute in the store, committed."""
        return _execute(self.store_url, statement, parameters)

    def warehouse(self, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """Execute in the warehouse, committed."""
        return _execute(self.warehouse_url, statement, parameters)

    def land(self, table: str = "ticket_signals", condition: str = "true") -> None:
        """Land the store's rows as reads at the store's present position, as Debezium spells them."""
        metrics = "|| jsonb_build_object('custom_metrics', t.custom_metrics::text, 'sentiment_score', t.sentiment_score::text)"
        extra = metrics if table == "ticket_signals" else ""
        rows = self.store(f"select to_jsonb(t) {extra} from enrichment.{table} as t where {condition}")
        [(position,)] = self.store(POSITION)
        records = []
        for (row,) in rows:
            value = {"op": "r", "after": row, "source": {"sequence": json.dumps([None, str(position)])}}
            records.append(RawRecord(f"cx.enrichment.{table}", 0, self.offset, 0, b"{}", json.dumps(value).encode()))
            self.offset += 1
        policy = read_policy()
        lander = Warehouse(self.warehouse_url, policy)
        try:
            lander.land(divide([decode(record, policy) for record in records]))
        finally:
            lander.close()


def _execute(url: str, statement: str, parameters: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []
