"""The worker dies by kill -9: F3 after the warehouse commit, F4 before it; F21 the group is set back to the first offset."""

from pathlib import Path

import psycopg
import pytest

from tests.conftest import wait_until
from tests.faults import topics
from tests.faults.line import GROUP, Line
from tests.faults.traffic import signal

CONTENT = ("ticket_signal_versions", "ticket_signals", "deleted_tickets", "tag_taxonomy", "accounts")

HANGS = """
select 1 from pg_stat_activity
where application_name = 'cx-worker' and wait_event_type = 'Lock' and clock_timestamp() - xact_start > interval '2 s'
"""


@pytest.mark.ci
@pytest.mark.parametrize("place", ["after_warehouse_commit", "before_offset_commit"])
def test_records_read_again_after_a_kill_behind_the_commit_have_no_second_effect(line: Line, place: str) -> None:
    """F3: records that were landed but not acknowledged come again, are counted as redelivered, and change nothing.

    Guard: offsets already counted are told by landing.consumed_records. Seen without: 121 records came again, 0 were counted so.
    """
    line.stack.stop("worker")
    line.write(*(signal(f"{place}-{ticket}", version) for version in (1, 2, 3) for ticket in range(40)))
    line.wait_until_captured()
    before = line.outcomes()
    die_at(line, place)
    landed, history = line.outcomes(), content(line)["ticket_signal_versions"]
    assert landed["applied"] > before["applied"], "the worker died before it had landed anything"
    assert is_behind(line), "the worker died after it had acknowledged what it landed"
    line.stack.start("worker")
    line.wait_until_acknowledged()
    after = line.outcomes()
    assert after["redelivered"] - landed["redelivered"] >= landed["applied"] - before["applied"]
    assert after["applied"] - before["applied"] == 120 + 1, "40 tickets of 3 versions and a mark, each applied once"
    assert content(line)["ticket_signal_versions"] >= history, "a row that was landed before the kill was written again"
    line.assert_right()


@pytest.mark.ci
def test_nothing_is_lost_when_the_worker_dies_before_the_commit(line: Line) -> None:
    """F4: a batch that was written but not committed is read again, and so are the records fetched behind it.

    The worker is held up for four commit intervals before it dies: an offset that moves too early has had time to.
    Guard: offsets are reported as landed behind the commit (stream/app.py). Seen with the report before it: when the worker
    had died, offsets of all 14 partitions were committed and nothing was landed.
    """
    line.stack.stop("worker")
    with line.traffic("uncommitted") as traffic:
        traffic.write(300)
        traffic.finish()
    line.wait_until_captured()
    landed = line.outcomes()
    offsets = topics.committed(line.stack.kafka_bootstrap, GROUP)
    with psycopg.connect(line.stack.warehouse_url) as holder:
        holder.execute("lock table landing.ticket_signal_versions in access exclusive mode")
        arm(line, "before_warehouse_commit")
        wait_until(lambda: line.warehouse(HANGS), what="a batch waiting for two seconds")
    wait_until_dead(line, "before_warehouse_commit")
    assert line.outcomes() == landed
    assert topics.committed(line.stack.kafka_bootstrap, GROUP) == offsets
    line.stack.start("worker")
    line.assert_right()


@pytest.mark.ci
def test_offsets_wait_for_a_batch_that_waits(line: Line) -> None:
    """F4: while a batch hangs before its commit for several commit intervals, no offset moves; after a kill it is read again.

    Guard: offsets are reported as landed behind the commit (stream/app.py). Seen with the report before it: the offsets of all
    12 partitions had moved past records that were nowhere.
    """
    line.wait_until_acknowledged()  # what came before this test moves no offset in it
    with psycopg.connect(line.stack.warehouse_url) as holder:
        holder.execute("lock table landing.ticket_signal_versions in access exclusive mode")
        offsets = topics.committed(line.stack.kafka_bootstrap, GROUP)
        line.write(*(signal(f"hangs-{number}") for number in range(50)))
        wait_until(lambda: line.warehouse(HANGS), what="a batch waiting for two seconds")
        line.write(*(signal(f"behind-{number}") for number in range(50)))
        line.wait_until_captured()
        line.stack.kill("worker")
        assert signals(topics.committed(line.stack.kafka_bootstrap, GROUP)) == signals(offsets)
    line.stack.start("worker")
    line.assert_right()


@pytest.mark.ci
def test_a_group_set_back_to_the_first_offset_changes_nothing(line: Line) -> None:
    """F21: every record is read a second time; not a row of landing changes, dead letters and tombstones included.

    Guards: the idempotency key, and landing.consumed_records, which tells records that were counted before. Seen without the
    second (every record fresh): the rejected row's letter had been seen twice.
    """
    line.write(signal("kept"), signal("kept", 2), signal("kept", 2, sentiment="positive"), signal("gone"))
    line.write(signal("refused", sentiment="furious"))
    line.delete("gone")
    line.assert_right()
    line.stack.stop("worker")
    before, letters, read = content(line), open_letters(line), line.outcomes()
    wait_until(lambda: topics.rewind(line.stack.kafka_bootstrap, GROUP), what="the group being set back")
    line.stack.start("worker")
    wait_until(lambda: line.outcomes()["redelivered"] - read["redelivered"] >= span(line), 120, "every record being read again")
    assert content(line) == before
    assert open_letters(line) == letters
    line.assert_right()


def signals(offsets: dict[tuple[str, int], int]) -> dict[tuple[str, int], int]:
    """The offsets of the ticket signals' partitions; the marks of other topics may move."""
    return {place: offset for place, offset in offsets.items() if place[0] == topics.SIGNALS}


def die_at(line: Line, place: str) -> None:
    """Let the worker run into a failpoint and keep it down."""
    arm(line, place)
    wait_until_dead(line, place)


def arm(line: Line, place: str) -> None:
    """Let the held worker start with a failpoint."""
    hold(line).with_suffix(".env").write_text(f"CX_FAILPOINT={place}")
    line.release("worker")


def wait_until_dead(line: Line, place: str) -> None:
    """Return when the worker has died at its failpoint and is kept down."""
    wait_until(lambda: "SIGKILL" in line.stack.part("worker")["last_exit"], 120, f"the worker dying at {place}")
    hold(line).touch()
    wait_until(lambda: line.stack.part("worker")["phase"] == "stopped", what="the worker being stopped")


def hold(line: Line) -> Path:
    """The file that keeps the worker down."""
    return line.stack.run_directory / "control" / "worker.hold"


def content(line: Line) -> dict[str, set[str]]:
    """Every row of landing that holds content, with the transaction that wrote it, by table."""
    return {table: {row for (row,) in line.warehouse(f"select to_jsonb(r)::text from landing.{table} as r")} for table in CONTENT}


def open_letters(line: Line) -> list[tuple[object, ...]]:
    """The dead letters, and how often each was seen apart from redeliveries."""
    return line.warehouse("select dead_letter_id, reason, status, times_seen from landing.dead_letters order by dead_letter_id")


def is_behind(line: Line) -> bool:
    """Whether the group has acknowledged less than the warehouse has counted, partition by partition."""
    committed = topics.committed(line.stack.kafka_bootstrap, GROUP)
    counted = line.warehouse("select topic, kafka_partition, next_offset from landing.consumed_records")
    return any(committed.get((topic, partition), 0) < next_offset for topic, partition, next_offset in counted)


def span(line: Line) -> int:
    """Records in the captured topics."""
    return sum(end - first for first, end in line.offsets().values())
