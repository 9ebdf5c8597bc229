"""`cx backfill` while Connect dies and restarts: it goes on where it was, ends complete, and nothing stale comes back."""

import json
import subprocess
import sys
from typing import Any

import psycopg

from ops.backfill import connector
from tests.conftest import wait_until
from tests.faults.line import Line
from tests.faults.test_capture_crashes import copy_rows, delete_some, written
from tests.faults.traffic import signal

CX = [sys.executable, "-c", "from ops.cli import main; main()"]
PAUSED = "aggregateType='Incremental Snapshot', type='PAUSED'"
ROWS, CHUNK = 60_000, 1_024


def cx(line: Line, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; a trace is a failure whatever it is about."""
    done = subprocess.run([*CX, *words], env=line.stack.environment, capture_output=True, text=True, timeout=300, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def status(line: Line) -> dict[str, Any]:
    """The newest backfill, as `cx backfill --status` tells it."""
    newest: dict[str, Any] = json.loads(cx(line, "backfill", "--status", "--json").stdout)["backfills"][0]
    return newest


def fill(line: Line, name: str) -> None:
    """So many tickets, landed."""
    with psycopg.connect(line.stack.store_url) as store:
        copy_rows(store, [signal(f"{name}-{number}") for number in range(ROWS)])
    line.settle()


def lose(line: Line) -> int:
    """Take a tenth of the tickets out of landing, as if they had never come; return how many."""
    gone = "ticket_id like '%7'"
    return len(line.warehouse(f"delete from landing.ticket_signal_versions where {gone} returning 1"))


def test_a_backfill_goes_on_after_connect_was_killed_in_it(line: Line) -> None:
    """The command says that it cannot watch any more; run again it follows the same backfill to its end, and later changes stand.

    Guards: Debezium keeps the snapshot in its offsets, ops.backfills the topic's ends; a read stands where the log stood.
    """
    fill(line, "bulk")
    lost = lose(line)
    before = written(line)
    with subprocess.Popen([*CX, "backfill", "--all", "--table", "ticket_signals"], env=line.stack.environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as watching:  # fmt: skip
        wait_until(lambda: written(line) > before + 3_000, what="the backfill being under way")
        with line.unreadable():
            line.stack.kill("connect")
        said = watching.communicate(timeout=60)[0]
    assert watching.returncode == 2, said
    assert "the backfill goes on, unwatched" in said
    assert "Traceback" not in said
    line.write(*(signal(f"bulk-{number}", 2, sentiment="neutral") for number in range(0, ROWS, 500)))
    delete_some(line, first=1)
    line.stack.start("connect")

    done = cx(line, "backfill", "--all", "--table", "ticket_signals")
    assert done.returncode == 0, done.stderr
    assert f"a backfill that runs already reads {ROWS} rows" in done.stderr
    assert status(line)["state"] == "finished"
    assert lost == ROWS // 10
    line.assert_right()


def test_a_paused_backfill_stays_paused_while_connect_restarts(line: Line) -> None:
    """Nothing but the chunk at hand is read until somebody says resume, whatever becomes of Connect; then it ends complete.

    Guard: the pause is said again before Connect starts. Seen without it: all that was left was read at once.
    """
    line.renew()
    fill(line, "held")
    lose(line)
    log, before = len(line.stack.log("connect")), written(line)
    assert cx(line, "backfill", "--all", "--table", "ticket_signals", "--no-wait").returncode == 0
    with line.unreadable():  # else all is read before the command has started
        assert cx(line, "backfill", "--pause").returncode == 0
    wait_until(lambda: PAUSED in line.stack.log("connect")[log:], what="Debezium having paused")
    line.settle()
    paused = written(line)
    assert before < paused < before + ROWS - 2 * CHUNK, "the pause came too early or too late to see anything"
    line.stack.kill("connect")
    line.stack.start("connect")
    for _ in range(3):
        line.settle()
        assert written(line) <= paused + CHUNK
    assert connector.running(line.stack.connect_url)
    assert status(line)["state"] == "paused"

    assert cx(line, "backfill", "--resume").returncode == 0
    done = cx(line, "backfill", "--all", "--table", "ticket_signals")
    assert f"{ROWS} of {ROWS} rows have landed" in done.stdout, done.stderr
    line.assert_right()
