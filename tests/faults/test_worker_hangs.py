"""The worker hangs, in its landing thread or in its event loop: the watchdog ends it, the supervisor starts it again."""

import time

import pytest

from tests.conftest import wait_until
from tests.faults.line import Line
from tests.faults.traffic import signal

PATIENCE_SECONDS = 20
# Looks are 2 s apart, an answer of the broker may take 4 s, and a hung worker leaves its group within 20 s.
GRACE_SECONDS = 30


@pytest.mark.ci
@pytest.mark.parametrize(
    ("place", "seconds"),
    [("hang_before_warehouse_commit", PATIENCE_SECONDS), ("hang_before_offset_commit", PATIENCE_SECONDS / 2)],
    ids=["landing thread", "event loop"],
)
def test_a_worker_that_hangs_is_ended_and_started_again(line: Line, place: str, seconds: float) -> None:
    """The hung worker ends with exit code 1 within its patience, its successor lands the batch, nothing is lost or done twice.

    Guard: stream/watchdog.py. Seen without: the blocked thread and the blocked loop stayed as they were, alive and looking well.
    """
    before = line.outcomes()
    line.stack.stop("worker")
    line.stack.start("worker", CX_FAILPOINT=place, CX_WORKER_PATIENCE_SECONDS=str(PATIENCE_SECONDS))
    (line.stack.run_directory / "control" / "worker.env").write_text("")  # its successor is well
    restarts = line.stack.part("worker")["restarts"]

    line.write(*(signal(f"{place}-{number}") for number in range(60)))
    begun = time.monotonic()
    wait_until(lambda: line.stack.part("worker")["restarts"] > restarts, seconds + GRACE_SECONDS, "the end of the hung worker")
    took = time.monotonic() - begun

    assert line.stack.part("worker")["last_exit"] == "exit code 1"
    assert took > seconds - 5, "the worker ended before its patience was at an end"
    print(f"{place}: ended {took:.1f} s after the records")  # noqa: T201 - shown by pytest -s
    line.stack.wait_until_up("worker")
    line.assert_right()
    applied = line.outcomes()["applied"] - before["applied"]
    assert applied >= 60
