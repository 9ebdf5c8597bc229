"""A whole embedded stack for tests that need the real thing: own directory, own ports, own data.

`stack` (one per session) starts PostgreSQL, Kafka and Connect with the running connector, and worker, publisher and
notifier as far as they exist. A test that breaks a part heals it again:

    def test_it(stack):
        with psycopg.connect(stack.store_url, autocommit=True) as store: ...
        stack.kill("connect")                       # kill -9, and it stays down
        stack.start("connect")                      # returns when it is up again
        stack.kill("worker", stay_down=False)       # kill -9, the supervisor restarts it
        stack.wait_until_up("worker")
        stack.stop("worker")                        # SIGTERM, it finishes its batch, and it stays down
        stack.start("worker", CX_FAILPOINT="after_warehouse_commit")   # with another environment, until the next start

A test that needs a stack of its own (say, to lose the slot) uses
`with tmp_directory() as directory, running_stack(directory) as stack`.
`running_stack(directory, without=("worker",))` leaves parts out. The reconciler is always left out: what tests break on
purpose is not to be noticed beside them.
"""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ops.stack import detached, layout, processes
from tests.conftest import wait_until


@dataclass(frozen=True)
class RunningStack:
    """A started stack: its addresses, and the means to break and heal its parts."""

    layout: layout.Stack

    @property
    def run_directory(self) -> Path:
        return self.layout.run_directory

    @property
    def store_url(self) -> str:
        return self.layout.server.url("store")

    @property
    def warehouse_url(self) -> str:
        return self.layout.server.url("warehouse")

    @property
    def bi_url(self) -> str:
        return self.layout.settings()["CX_BI_URL"]

    @property
    def kafka_bootstrap(self) -> str:
        return self.layout.kafka_bootstrap

    @property
    def connect_url(self) -> str:
        return self.layout.connect_url

    @property
    def environment(self) -> dict[str, str]:
        """An environment in which `cx ...` and any part works on this stack."""
        return {**os.environ, **self.layout.settings(), "CX_RUN_DIRECTORY": str(self.run_directory)}

    def part(self, name: str) -> detached.State:
        """What the supervisor knows of a part: phase, pid, restarts, failures, last_exit."""
        return detached.read_state(self.run_directory)["parts"][name]

    def pid(self, name: str) -> int:
        """The part's process; fails when it has none."""
        pid = processes.read_pid(self.run_directory, name)
        assert pid is not None, f"{name} has no process"
        return pid

    def log(self, name: str) -> str:
        """Everything the part wrote so far."""
        return (self.layout.logs / f"{name}.log").read_text(errors="replace")

    def kill(self, name: str, stay_down: bool = True) -> None:
        """kill -9 the part's main process; returns when it is gone."""
        pid = self.pid(name)
        if stay_down:
            self._hold(name).touch()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: processes.start_ticks(pid) is None, what=f"the end of {name}")

    def stop(self, name: str) -> None:
        """Stop the part as `cx down` would, and keep it down."""
        self._hold(name).touch()
        wait_until(lambda: self.part(name)["phase"] == "stopped", what=f"{name} being stopped")

    def start(self, name: str, **environment: str) -> None:
        """Let a held part start, with these variables added to its environment, and wait until it is up."""
        lines = [f"{variable}={value}" for variable, value in environment.items()]
        self._hold(name).with_suffix(".env").write_text("\n".join(lines))
        # The supervisor must have seen the part down, or `up` would still be the state before the kill.
        wait_until(lambda: self.part(name)["phase"] == "stopped", what=f"{name} being stopped")
        self._hold(name).unlink(missing_ok=True)
        self.wait_until_up(name)

    def start_what_is_held(self) -> None:
        """Start every part that a failed test left down."""
        for held in sorted((self.run_directory / "control").glob("*.hold")):
            self.start(held.stem)

    def wait_until_up(self, name: str, seconds: float = 120.0) -> None:
        """Return when the part is up with a living process (for connect: the connector runs)."""
        wait_until(lambda: self._is_up(name), seconds, what=f"{name} being up")

    def _is_up(self, name: str) -> bool:
        part = self.part(name)
        return part["phase"] == "up" and part["pid"] == processes.read_pid(self.run_directory, name) is not None

    def _hold(self, name: str) -> Path:
        directory = self.run_directory / "control"
        directory.mkdir(exist_ok=True)
        return directory / f"{name}.hold"


@contextmanager
def running_stack(directory: Path, without: tuple[str, ...] = ()) -> Iterator[RunningStack]:
    """Start a stack in this directory, and stop it at the end, whatever happened."""
    directory = directory.resolve()
    try:
        detached.start(directory, (*without, "reconciler"))
        detached.wait_until_up(directory, say=lambda text: None)
        stack = layout.load(directory)
        assert stack is not None
        yield RunningStack(stack)
    finally:
        detached.stop(directory)


@contextmanager
def tmp_directory() -> Iterator[Path]:
    """A directory that PostgreSQL's own user may enter too (pytest's tmp_path is closed to others)."""
    with tempfile.TemporaryDirectory(prefix="cx-test-stack-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """The session's stack, everything in it up."""
    with tmp_directory() as directory, running_stack(directory) as running:
        yield running
