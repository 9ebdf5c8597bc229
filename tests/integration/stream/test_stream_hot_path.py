"""What makes landing quick, and must not change what lands."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from stream.core.batch import divide
from stream.core.decode import decode
from stream.edges.warehouse import binary
from stream.edges.warehouse.landing import Warehouse
from stream.edges.warehouse.literals import array_literal, numbers_literal
from stream.worker import read_policy
from tests.conftest import wait_until
from tests.integration.stream.conftest import Query
from tests.unit.stream.events import RawRecord, changed, deleted, signal

# Everything PostgreSQL can hold, with what has a meaning in JSON and arrays drawn often.
TEXTS = st.text(st.sampled_from('\\"\n\r\t\x01\b,{}[]N.nux') | st.characters(codec="utf-8", exclude_characters="\0"))
DOCUMENTS = st.dictionaries(TEXTS, st.recursive(TEXTS | st.integers() | st.booleans() | st.none(), st.lists), max_size=3)
ZONES = st.builds(timezone, st.timedeltas(timedelta(hours=-14), timedelta(hours=14)))
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=ZONES)  # noqa: DTZ001
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
VALUES = st.fixed_dictionaries({
    "one": TEXTS | st.none(),
    "several": st.lists(TEXTS, max_size=3),
    "version": st.integers(1, 2**63 - 1),
    "number": st.integers(0, 2**31 - 1),
    "identity": st.uuids(),
    "document": DOCUMENTS,
    "positions": st.lists(st.integers(0, 2**128 - 1), max_size=3),
    "score": st.decimals(-1_000_000, 1_000_000, allow_nan=False, allow_infinity=False) | st.none(),
    "moment": MOMENTS | st.none(),
    "counted": MOMENTS | st.none(),
    "hash": st.binary(max_size=16),
})  # fmt: skip
WRITTEN: dict[str, Callable[[Any], object]] = {
    "several": binary.texts,
    "version": binary.bigint,
    "number": binary.integer,
    "identity": lambda value: binary.uuid(str(value)),
    "document": lambda value: binary.jsonb(json.dumps(value)),
    "positions": binary.numerics,
    "counted": lambda moment: binary.moment(moment and (moment - EPOCH) // timedelta(microseconds=1)),
}
AS_THEY_ARE = ("one", "score", "moment", "hash")
COPIED = (*WRITTEN, *AS_THEY_ARE)
by_hypothesis = settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(rows=st.lists(VALUES, max_size=5))
@by_hypothesis
def test_whatever_is_copied_comes_back_as_it_was(server_connection: psycopg.Connection, rows: list[dict[str, Any]]) -> None:
    """A value of each type of the history: COPY gives back what went in."""
    names = ", ".join(COPIED)
    server_connection.execute("truncate copied")
    with server_connection.cursor() as cursor, cursor.copy(f"copy copied ({names}) from stdin (format binary)") as copy:
        for row in rows:
            copy.write_row([WRITTEN[name](row[name]) if name in WRITTEN else row[name] for name in COPIED])
    with server_connection.cursor(row_factory=dict_row) as cursor:
        assert cursor.execute(f"select {names} from copied order by place").fetchall() == rows


@given(texts=st.lists(TEXTS, max_size=5), numbers=st.lists(st.integers(0, 2**128 - 1), max_size=5))
@by_hypothesis
def test_whatever_is_asked_in_an_array_is_what_was_meant(
    server_connection: psycopg.Connection, texts: list[str], numbers: list[int]
) -> None:
    """Quotes, backslashes, commas and braces in an array's text."""
    asked = [array_literal(texts), numbers_literal(numbers)]
    assert server_connection.execute("select cast(%s as text[]), cast(%s as numeric[])", asked).fetchone() == (texts, numbers)


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
