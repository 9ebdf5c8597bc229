"""Connect dies by kill -9: F1 among open transactions, F2 inside one statement, F18 inside an incremental snapshot."""

import json

import psycopg
import pytest

from tests.conftest import wait_until
from tests.faults import topics
from tests.faults.line import Line
from tests.faults.traffic import COLUMNS, UPSERT, Row, bound, signal

SNAPSHOT = "insert into enrichment.cdc_signal (id, type, data) values (%s, 'execute-snapshot', %s)"
ROWS = 60_000  # read in a second or two: time enough for a change meanwhile
COMPLETED = "aggregateType='Incremental Snapshot', type='COMPLETED'"


@pytest.mark.ci
def test_no_version_is_missing_after_connect_was_killed_among_open_transactions(line: Line) -> None:
    """F1: versions written by interleaved transactions, one of them open all the while, arrive though Connect is killed twice.

    Guard: the slot confirms only what Kafka has, and connectors/resume.py refuses another. Seen with the slot advanced to
    the end of the log while Connect was dead, and nobody refusing: 494 tickets were missing, 97 others were behind.
    """
    with line.traffic("open") as traffic, psycopg.connect(line.stack.store_url) as long:
        long.execute(UPSERT, bound(signal("long", 1)))
        with traffic.running():
            for _ in range(2):
                line.wait_for_changes(200)
                line.stack.kill("connect", stay_down=False)
                line.wait_for_changes(50)
                long.execute(UPSERT, bound(signal("long", line.changes())))
                line.stack.wait_until_up("connect")
        long.commit()
    line.assert_right()


def test_every_row_of_a_statement_arrives_when_connect_dies_inside_it(line: Line) -> None:
    """F2: of one multi-row INSERT and one COPY of 1,000 rows each, cut in two by the kill, every row arrives.

    Guard: the slot confirms only what Kafka has, so the statement is sent again from its begin. Seen with the slot advanced to
    the end of the log while Connect was dead: 4 of the INSERT's rows had landed, the capture refused to go on, no COPY arrived.
    """
    for name, statement in (("insert", insert_rows), ("copy", copy_rows)):
        with psycopg.connect(line.stack.store_url) as store:
            rows = [signal(f"{name}-{number}", custom_metrics={"text": "x" * 20_000}) for number in range(1000)]
            statement(store, rows)
        cut_inside(line, name, len(rows))
    line.assert_right()


def insert_rows(store: psycopg.Connection, rows: list[Row]) -> None:
    """One INSERT of all rows."""
    store.execute(
        f"insert into enrichment.ticket_signals ({', '.join(COLUMNS)}) select {', '.join(COLUMNS)} "
        "from jsonb_populate_recordset(null::enrichment.ticket_signals, %s)",
        [json.dumps(rows)],
    )


def copy_rows(store: psycopg.Connection, rows: list[Row]) -> None:
    """One COPY of all rows: many of them share one position in the log."""
    with store.cursor().copy(f"copy enrichment.ticket_signals ({', '.join(COLUMNS)}) from stdin") as copy:
        for row in rows:
            copy.write_row([bound(row)[column] for column in COLUMNS])


def cut_inside(line: Line, name: str, rows: int) -> None:
    """Kill Connect while it streams a statement of so many rows, and see that it was cut."""
    before = written(line)
    wait_until(lambda: written(line) > before, what=f"the first rows of the {name}")
    line.stack.kill("connect", stay_down=True)
    arrived = written(line) - before
    assert 0 < arrived < rows, f"{arrived} of {rows} rows had been written: the kill did not cut the {name}"
    line.stack.start("connect")


def written(line: Line) -> int:
    """Records of ticket signals in the topic so far."""
    return sum(end for (topic, _), (_, end) in line.offsets().items() if topic == topics.SIGNALS)


def test_an_incremental_snapshot_cut_by_a_kill_overwrites_nothing_newer(line: Line) -> None:
    """F18: a snapshot in which Connect dies, among updates and deletes, brings back no old and no deleted row.

    Guard: a read stands where the log stood when it was made (stream/core/positions.py), so a later delete ends it. Seen with
    reads put after everything: of 120 deleted tickets 39 were back, their tombstones beside them.
    """
    with psycopg.connect(line.stack.store_url) as store:
        copy_rows(store, [signal(f"bulk-{number}") for number in range(ROWS)])
    line.settle()
    log, before = len(line.stack.log("connect")), written(line)
    line.store(SNAPSHOT, ["cut", json.dumps({"data-collections": ["enrichment.ticket_signals"], "type": "incremental"})])
    line.write(*(signal(f"bulk-{number}", 2, sentiment="neutral") for number in range(0, ROWS, 1_000)))
    delete_some(line, first=1)
    wait_until(lambda: written(line) > before + 3_000, what="the snapshot being under way")
    with line.unreadable():
        line.stack.kill("connect")
    assert COMPLETED not in line.stack.log("connect")[log:], "the snapshot was over before the kill"
    line.write(*(signal(f"bulk-{number}", 3, effort="low") for number in range(2, ROWS, 1_000)))
    delete_some(line, first=3)
    line.stack.start("connect")
    wait_until(lambda: COMPLETED in line.stack.log("connect")[log:], 180, "the snapshot being completed after the restart")
    line.assert_right()


def delete_some(line: Line, first: int) -> None:
    """Delete 60 tickets, each in its own transaction."""
    with psycopg.connect(line.stack.store_url, autocommit=True) as store:
        for number in range(first, ROWS, 1_000):
            store.execute("delete from enrichment.ticket_signals where ticket_id = %s", [f"bulk-{number}"])


@pytest.mark.ci
def test_a_snapshot_read_beside_an_uncommitted_delete_does_not_bring_the_ticket_back(line: Line) -> None:
    """F18: the delete was written to the log before the read, and committed behind it; the ticket must stay deleted.

    Guard: a position starts with the last commit (stream/core/positions.py). Seen with the change's own LSN alone: the
    read at 26765208 passes the tombstone at 26763408, and the ticket returns.
    """
    line.renew()
    line.write(signal("doomed"))
    line.settle()
    with psycopg.connect(line.stack.store_url) as store:
        store.execute("delete from enrichment.ticket_signals where ticket_id = 'doomed'")
        line.store(SNAPSHOT, ["open", json.dumps({"data-collections": ["enrichment.ticket_signals"], "type": "incremental"})])
        wait_until(lambda: is_read(line, "doomed"), what="the snapshot having read the ticket")
    line.assert_right()


def is_read(line: Line, ticket: str) -> bool:
    """Whether a snapshot read of the ticket is in the topic."""
    records = topics.read(line.stack.kafka_bootstrap, topics.SIGNALS)
    return any(b'"op":"r"' in (record.value or b"") and ticket.encode() in (record.key or b"") for record in records)
