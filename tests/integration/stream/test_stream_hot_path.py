"""What makes landing quick, and must not change what lands."""

from collections.abc import Iterable

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.core.batch import divide
from stream.core.decode import decode
from stream.edges.warehouse.landing import Warehouse
from stream.edges.warehouse.literals import COPY_OPTIONS, array_literal, copy_lines
from stream.worker import read_policy
from tests.conftest import wait_until
from tests.integration.stream.conftest import Query
from tests.unit.stream.events import RawRecord, changed, deleted, signal

# Everything PostgreSQL can hold, with what has a meaning in COPY, CSV, JSON and arrays drawn often.
TEXTS = st.text(st.sampled_from('\\"\n\r\t\x01\b,{}[]N.nux') | st.characters(codec="utf-8", exclude_characters="\0"))


@given(rows=st.lists(st.tuples(TEXTS | st.none(), st.lists(TEXTS, max_size=3), st.integers(-(2**63), 2**63 - 1)), max_size=5))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_text_is_copied_comes_back_as_it_was(server_connection: psycopg.Connection, rows: list[tuple]) -> None:
    """Quotes, backslashes, control characters, commas, nulls: COPY gives back what went in."""
    server_connection.execute("truncate copied")
    with (
        server_connection.cursor() as cursor,
        cursor.copy(f"copy copied (one, several, number) from stdin {COPY_OPTIONS}") as copy,
    ):
        copy.write(copy_lines([(one, array_literal(several), number) for one, several, number in rows]))
    assert server_connection.execute("select one, several, number from copied order by place").fetchall() == rows


READ = "select sum(seq_scan), sum(idx_scan), sum(idx_tup_fetch) from pg_stat_user_tables where relname like 'ticket_signal%'"


def land(url: str, query: Query, *batches: Iterable[RawRecord]) -> tuple[int, int]:
    """Land these batches; how often tickets' tables were scanned from end to end meanwhile, and how many rows were fetched."""
    query("analyze landing.ticket_signal_versions")
    [(scans, looks, rows)] = query(READ)
    warehouse, policy = Warehouse(url, read_policy()), read_policy()
    for records in batches:
        warehouse.land(divide([decode(record._replace(offset=place), policy) for place, record in enumerate(records)]))
    warehouse.close()  # its sessions report what they did when they end
    wait_until(lambda: query(READ)[0][1] > looks + len(batches), what="the statistics of the landing")
    [(scans_after, _, rows_after)] = query(READ)
    return scans_after - scans, rows_after - rows


def test_landing_reads_no_table_whole(warehouse_url: str, query: Query) -> None:
    """New versions, repeats, conflicts and deletes cost what they touch: neither a table nor an index is read from end to end."""
    tickets, few = 600, 3

    def written(version: int, number: int, position: int, **fields: str) -> list[RawRecord]:
        return [changed(signal(f"t{ticket}", version, **fields), position + ticket) for ticket in range(number)]

    scans, _ = land(warehouse_url, query, *(written(version, tickets, version * 1000) for version in range(1, 6)))
    assert scans == 0
    read_again, conflicting = written(3, few, 20_000), written(4, few, 21_000, driver="another")
    for batch in (read_again, conflicting, [deleted(f"t{ticket}", 22_000 + ticket) for ticket in range(few)]):
        scans, rows = land(warehouse_url, query, batch)
        assert (scans, rows < 200) == (0, True), f"{rows} rows were fetched for {few} records"
