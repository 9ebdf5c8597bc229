"""Start and stop the supervisor from another process, and read what it wrote down about its parts."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ops.settings import PROJECT_DIRECTORY
from ops.stack import layout, processes

START_SECONDS = 240.0
FIRST_SIGN_SECONDS = 30.0  # a supervisor that imports on a busy machine has no lock yet
STOP_SECONDS = 90.0
FAILURES_BEFORE_GIVING_UP = 4
LAST_LINES = 8

State = dict[str, Any]


def is_supervised(run_directory: Path) -> bool:
    """Whether a supervisor of this run directory lives (it holds a lock that the kernel releases with it)."""
    if not run_directory.exists():
        return False
    lock = processes.take_lock(run_directory)
    if lock is None:
        return True
    lock.close()
    return False


def read_state(run_directory: Path) -> State:
    """What the supervisor wrote last: {"parts": {name: {...}}, "connector": {...}}; empty when none runs."""
    try:
        state: State = json.loads((run_directory / "state.json").read_text())
    except FileNotFoundError:
        return {}
    return state


def start(run_directory: Path, without: tuple[str, ...] = ()) -> None:
    """Start a supervisor in the background, after ending what a killed one left behind."""
    processes.sweep(run_directory)
    stack = layout.prepare(run_directory)
    (run_directory / "state.json").unlink(missing_ok=True)
    log = stack.logs / "supervisor.log"
    processes.bound(log)
    options = [word for part in without for word in ("--without", part)]
    with log.open("ab") as output:
        subprocess.Popen(
            [sys.executable, "-m", "ops.stack", str(run_directory), *options],
            cwd=PROJECT_DIRECTORY,
            env={**os.environ, "CX_RUN_DIRECTORY": str(run_directory)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_until_up(run_directory: Path, say: Callable[[str], None], seconds: float = START_SECONDS) -> None:
    """Return when every part is up, saying when each comes.

    Raises StackError with the last lines of a log when a part keeps failing, the supervisor ends or the time is over.
    """
    began, told = time.monotonic(), set[str]()
    while True:
        parts = read_state(run_directory).get("parts", {})
        for name, part in parts.items():
            if part["phase"] == "up" and name not in told:
                say(f"{name} is up ({time.monotonic() - began:.1f} s)")
                told.add(name)
        if parts and len(told) == len(parts):
            return
        _raise_if_hopeless(run_directory, parts, time.monotonic() - began, seconds)
        time.sleep(0.1)


def _raise_if_hopeless(run_directory: Path, parts: State, waited: float, seconds: float) -> None:
    for name, part in parts.items():
        if part["phase"] != "up" and part["failures"] >= FAILURES_BEFORE_GIVING_UP:
            raise layout.StackError(f"{name} does not come up: {part['last_exit']}\n{_last_lines(run_directory, name)}")
    if waited > FIRST_SIGN_SECONDS and not is_supervised(run_directory):
        raise layout.StackError(f"the supervisor has ended\n{_last_lines(run_directory, 'supervisor')}")
    if waited > seconds:
        late = ", ".join(f"{name} ({part['phase']})" for name, part in parts.items() if part["phase"] != "up")
        raise layout.StackError(f"not everything is up after {seconds:g} s: {late}; the logs are in {run_directory / 'logs'}")


def _last_lines(run_directory: Path, name: str) -> str:
    log = run_directory / "logs" / f"{name}.log"
    lines = log.read_text(errors="replace").splitlines()[-LAST_LINES:] if log.exists() else []
    return "\n".join(f"  {line[:300]}" for line in (*lines, f"(whole log: {log})"))


def stop(run_directory: Path) -> int:
    """Stop the supervisor and all its parts, and end whatever is left of the stack. Returns how many leftovers there were."""
    if not run_directory.exists():
        return 0
    supervisor = processes.read_pid(run_directory, "supervisor")
    if supervisor:
        os.kill(supervisor, signal.SIGTERM)
        _wait_for_end(supervisor)
    return processes.sweep(run_directory)


def _wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while processes.start_ticks(pid) is not None:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
