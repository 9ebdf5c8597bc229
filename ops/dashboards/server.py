"""Start Superset beside the stack, stop it, and run its own programs (import and export of the assets)."""

import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg

from ops.dashboards.install import DashboardsError, python
from ops.dashboards.place import ASSETS, PROGRAMS, Place
from ops.settings import PROJECT_DIRECTORY
from ops.stack import processes

PART = "superset"
START_SECONDS = 180.0
STOP_SECONDS = 20.0
THREADS = "12"


def start(place: Place, bi_url: str, say: Callable[[str], None]) -> None:
    """Bring tables, log-in and assets up to date, and return when Superset answers. Goes on with one that runs.

    Raises DashboardsError with the log's last lines when it does not come up.
    """
    place.log.parent.mkdir(exist_ok=True)
    processes.bound(place.log)
    if _is_provisioned(place):
        say("the dashboards are imported already")
    else:
        stop(place.run_directory)  # it would keep the configuration it started with
        say("importing the dashboards into Superset")
        run_program(place, bi_url, "superset_provision.py", str(ASSETS))
        (place.directory / "provisioned").write_text(_fingerprint())
    if processes.read_pid(place.run_directory, PART) is None:
        say("starting Superset")
        _spawn(place, bi_url)
    _wait_until_it_answers(place)


def require_marts(bi_url: str) -> None:
    """Raise DashboardsError with what to do when the warehouse does not answer, or nothing was published yet."""
    try:
        with psycopg.connect(bi_url, connect_timeout=5) as connection:
            published = connection.execute("select to_regclass('marts.fct_ticket_signals') is not null").fetchone()
    except psycopg.Error as error:
        raise DashboardsError(
            f"the warehouse does not answer ({' '.join(str(error).split())}): `make demo` or `cx up`"
        ) from error
    if published != (True,):
        raise DashboardsError("nothing was published yet: import tickets (`make demo` does) and see `cx status`")


def stop(run_directory: Path) -> bool:
    """Stop the Superset of this run directory. Returns whether one ran."""
    pid = processes.read_pid(run_directory, PART)
    if pid is None:
        return False
    processes.signal_group(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while processes.start_ticks(pid) is not None:
        if time.monotonic() > deadline:
            processes.signal_group(pid, signal.SIGKILL)
        time.sleep(0.05)
    return True


def run_program(place: Place, bi_url: str, program: str, *arguments: str) -> None:
    """Run one of Superset's programs here to its end, its words in the log."""
    command = [str(python()), "-W", "ignore", str(PROGRAMS / program), *arguments]
    with place.log.open("ab") as log:
        done = subprocess.run(command, check=False, cwd=place.directory, env=place.environment(bi_url), stdout=log, stderr=log)
    if done.returncode:
        raise DashboardsError(f"{program} failed\n{_last_lines(place)}")


def _spawn(place: Place, bi_url: str) -> None:
    """One process: the cache of answers is its own, and 300 MB are enough."""
    gunicorn = [
        str(python()),
        "-W",
        "ignore",
        "-m",
        "gunicorn",
        "--workers",
        "1",
        "--worker-class",
        "gthread",
        "--threads",
        THREADS,
    ]
    with place.log.open("ab") as log:
        process = subprocess.Popen(
            [*gunicorn, "--timeout", "120", "--bind", f"127.0.0.1:{place.port}", "superset.app:create_app()"],
            cwd=place.directory,
            # The mark lets `cx down` find it even when its pid file is lost.
            env={**place.environment(bi_url), processes.MARK: str(place.run_directory)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    processes.write_pid(place.run_directory, PART, process.pid)


def _wait_until_it_answers(place: Place) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(place):
        if processes.read_pid(place.run_directory, PART) is None:
            raise DashboardsError(f"Superset has ended\n{_last_lines(place)}")
        if time.monotonic() > deadline:
            raise DashboardsError(f"Superset does not answer after {START_SECONDS:g} s; its log is {place.log}")
        time.sleep(0.2)


def _answers(place: Place) -> bool:
    try:
        return httpx.get(f"{place.url}/health", timeout=5).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _is_provisioned(place: Place) -> bool:
    file = place.directory / "provisioned"
    return file.exists() and file.read_text() == _fingerprint()


def _fingerprint() -> str:
    """Changes with the assets, the programs and the lock."""
    files = [*sorted(ASSETS.rglob("*.yaml")), *sorted(PROGRAMS.glob("superset*"))]
    digest = hashlib.sha256()
    for file in files:
        digest.update(os.fsencode(file.relative_to(PROJECT_DIRECTORY)) + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _last_lines(place: Place) -> str:
    lines = place.log.read_text(errors="replace").splitlines()[-8:]
    return "\n".join(f"  {line[:300]}" for line in (*lines, f"(whole log: {place.log})"))
