"""Operating-system processes of a stack: started so that they end with the supervisor, and found again if they did not.

Every process carries CX_STACK_MARK=<run directory>, and every part's pid is written down with its start time: a pid
that was given to another program since is never touched.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

MARK = "CX_STACK_MARK"
LOG_BYTES = 20 * 1024 * 1024


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    run_directory: Path,
    environment: Mapping[str, str],
    stop_signal: signal.Signals,
    run_as: Mapping[str, object],
) -> subprocess.Popen[bytes]:
    """Start a part in a session of its own, its output appended to the log; it gets stop_signal if the supervisor dies."""
    setpriv = shutil.which("setpriv")
    prefix = [setpriv, "--pdeathsig", stop_signal.name.removeprefix("SIG"), "--"] if setpriv else []
    with log.open("ab") as output:
        process: subprocess.Popen[bytes] = subprocess.Popen(
            [*prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/" if run_as else run_directory,
            env={**environment, MARK: str(run_directory)},
            start_new_session=True,
            **run_as,  # type: ignore[call-overload]
        )
    return process


def exit_text(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None:
        return ""
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def bound(log: Path) -> None:
    """Keep a log below LOG_BYTES: the older part moves to `<log>.1`. Writers append, so cutting under them is safe."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        shutil.copyfile(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)


def start_ticks(pid: int) -> int | None:
    """Start time of a living process in clock ticks since boot (proc(5), field 22); None when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


def take_lock(run_directory: Path) -> IO[str] | None:
    """The lock that one supervisor of this run directory holds while it lives; None when another has it."""
    lock = (run_directory / "supervisor.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def write_pid(run_directory: Path, name: str, pid: int) -> None:
    """Write down which process is this part."""
    directory = run_directory / "pids"
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(f"{pid} {start_ticks(pid) or 0}\n")


def read_pid(run_directory: Path, name: str) -> int | None:
    """The pid of the part's process when exactly that process still lives."""
    file = run_directory / "pids" / name
    if not file.exists():
        return None
    pid, ticks = map(int, file.read_text().split())
    return pid if start_ticks(pid) == ticks else None


def leftovers(run_directory: Path) -> list[int]:
    """Every living process of this stack, the calling one and a supervisor excepted."""
    recorded = [read_pid(run_directory, file.name) for file in (run_directory / "pids").glob("*") if file.name != "supervisor"]
    marked = [int(path.name) for path in Path("/proc").glob("[0-9]*") if _is_marked(path, run_directory)]
    return sorted({pid for pid in (*recorded, *marked) if pid and pid != os.getpid() and start_ticks(pid)})


def _is_marked(process: Path, run_directory: Path) -> bool:
    try:
        return f"{MARK}={run_directory}".encode() in (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


def sweep(run_directory: Path, seconds: float = 10.0) -> int:
    """End what a killed supervisor left behind: SIGINT (PostgreSQL's fast stop) and SIGTERM, then SIGKILL. Returns how many."""
    found = leftovers(run_directory)
    for stop in (signal.SIGINT, signal.SIGTERM):
        _signal(found, stop)
    deadline = time.monotonic() + seconds
    while leftovers(run_directory) and time.monotonic() < deadline:
        time.sleep(0.05)
    _signal(leftovers(run_directory), signal.SIGKILL)
    while leftovers(run_directory):
        time.sleep(0.05)
    return len(found)


def signal_group(leader: int, number: signal.Signals) -> None:
    """Signal a part and everything it started."""
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        return


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
