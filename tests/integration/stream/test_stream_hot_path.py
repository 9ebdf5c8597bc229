"""What makes landing quick, and must not change what lands."""

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
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_text_is_copied_comes_back_as_it_was(server_connection: psycopg.Connection, rows: list[tuple]) -> None:
    """Quotes, backslashes, control characters, commas, nulls: COPY gives back what went in."""
    server_connection.execute("truncate copied")
    with (
        server_connection.cursor() as cursor,
        cursor.copy(f"copy copied (one, several, number) from stdin {COPY_OPTIONS}") as copy,
    ):
        copy.write(copy_lines([(one, array_literal(several), number) for one, several, number in rows]))
    assert server_connection.execute("select one, several, number from copied order by place").fetchall() == rows


def test_landing_reads_no_table_whole(warehouse: Warehouse, query: Query) -> None:
    """New versions, repeats, conflicts and deletes cost what they touch: neither a table nor an index is read from end to end."""
    policy = read_policy()

    def land(*records: RawRecord) -> None:
        warehouse.land(divide([decode(record._replace(offset=place), policy) for place, record in enumerate(records)]))
        query("analyze landing.ticket_signals, landing.ticket_signal_versions")

    for version in range(1, 9):
        land(*(changed(signal(f"t{ticket}", version), version * 1000 + ticket) for ticket in range(300)))
    few = 20  # each of them alone may read a few rows
    land(*(changed(signal(f"t{ticket}", 3), 20_000 + ticket) for ticket in range(few)))  # read again by a snapshot
    land(*(changed(signal(f"t{ticket}", 4, driver="other"), 21_000 + ticket) for ticket in range(few)))
    land(*(deleted(f"t{ticket}", 22_000 + ticket) for ticket in range(few)))
    read = "select sum(seq_scan), sum(idx_scan), sum(idx_tup_fetch) from pg_stat_user_tables where relname like 'ticket_signal%'"
    [(others, *_)] = query(read)
    warehouse.close()  # its sessions report what they did when they end
    wait_until(lambda: query(read)[0][1] > 2000, what="the statistics of the landing")
    [(scans, _, rows)] = query(read)
    assert scans == others
    assert rows < 5 * 2400 + 60 * few
