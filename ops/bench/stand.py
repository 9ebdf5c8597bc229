"""A stack for one measurement: its own directory, ports and data, its parts started one by one and stopped at the end.

No supervisor: the bench wants each part's process, alone or several times, and nothing that restarts it.
"""

import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen
from typing import Any

import psycopg

from ops.stack import layout, parts, processes
from ops.stack.layout import Stack, StackError

LOOK_EVERY_SECONDS = 0.02
STOP_SECONDS = 60.0


class Skipped(Exception):
    """A scenario cannot be measured here; the message says why and what to do."""


class Stand:
    """One stack under measurement. `processes` are the parts that run, by name."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.processes: dict[str, Popen[bytes]] = {}
        self._parts = {part.name: part for part in parts.all_parts(stack)}

    @property
    def store_url(self) -> str:
        return self.stack.server.url("store")

    @property
    def warehouse_url(self) -> str:
        return self.stack.server.url("warehouse")

    @property
    def environment(self) -> dict[str, str]:
        """An environment in which `cx ...` works on this stand."""
        return parts.base_environment(self.stack)

    def start(self, *names: str, settle: bool = True, seconds: float = 120.0) -> None:
        """Start these parts one after the other; each is ready (and settled) when the next one starts."""
        for name in names:
            part = self._parts[name]
            part.prepare()
            if name == "postgres":
                self._configure_postgres()
            process = self._spawn(name, part.command(), part.environment, dict(part.run_as))
            deadline = time.monotonic() + seconds
            while not part.is_ready():
                self._check(name, process, deadline)
                time.sleep(LOOK_EVERY_SECONDS)
            if settle:
                part.settle()

    def start_worker(self, name: str, **environment: str) -> None:
        """Start one more worker, which takes its share of the partitions."""
        part = self._parts["worker"]
        self._spawn(name, [part.command()[0], "worker"], {**part.environment, **environment}, {})

    def start_with(self, name: str, **environment: str) -> None:
        """Start this part with these variables added to its environment."""
        part = self._parts[name]
        self._spawn(name, part.command(), {**part.environment, **environment}, {})

    def spawn_java(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a Java program that is no part of a stack: the peer's Kafka Connect."""
        self._spawn(name, command, environment, {})

    def stop(self, *names: str) -> None:
        """Stop these parts, the last started first, as `cx down` would."""
        for name in reversed(names or list(self.processes)):
            process = self.processes.pop(name)
            known = self._parts.get(name)
            process.send_signal(known.stop_signal if known else signal.SIGTERM)
            with suppress(Exception):
                process.wait(STOP_SECONDS)
            processes.signal_group(process.pid, signal.SIGKILL)
            process.wait()

    def wait_until(self, condition: Callable[[], object], seconds: float, what: str, every: float = LOOK_EVERY_SECONDS) -> None:
        """Return as soon as the condition holds; raise StackError when a part died or the time is over."""
        deadline = time.monotonic() + seconds
        while not condition():
            for name, process in self.processes.items():
                self._check(name, process, deadline, what)
            time.sleep(every)

    def warehouse(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.warehouse_url, autocommit=True)

    def store(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.store_url, autocommit=True)

    def pids(self, *names: str) -> dict[str, int]:
        """The processes of these parts, for a meter."""
        return {name: self.processes[name].pid for name in names}

    def _configure_postgres(self) -> None:
        """Have every transaction's commit time kept: latency is then read, not polled."""
        with (self.stack.server.data / "postgresql.conf").open("a") as configuration:
            configuration.write("track_commit_timestamp = on\n")

    def _spawn(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], run_as: dict[str, object]
    ) -> Popen[bytes]:
        process = processes.spawn(
            command,
            log=self.stack.logs / f"{name}.log",
            run_directory=self.stack.run_directory,
            environment={**self.environment, **environment},
            stop_signal=self._parts[name].stop_signal if name in self._parts else signal.SIGTERM,
            run_as=run_as,
        )
        self.processes[name] = process
        return process

    def _check(self, name: str, process: Popen[bytes], deadline: float, what: str = "") -> None:
        ended = process.poll()
        if ended is None and time.monotonic() < deadline:
            return
        why = f"{what or name} took too long" if ended is None else f"{name} ended ({processes.exit_text(ended)})"
        log = self.stack.logs / f"{name}.log"
        last = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []
        raise StackError("\n  ".join([f"{why}; the last words of {name}:", *(line[:200] for line in last)]))


@contextmanager
def standing(*names: str, gigabytes: float = 3.0) -> Iterator[Stand]:
    """A fresh stand with these parts up; everything of it is gone afterwards, whatever happened.

    Raises Skipped when the disk has less than so many gigabytes free.
    """
    free = shutil.disk_usage(tempfile.gettempdir()).free / 1e9
    if free < gigabytes:
        raise Skipped(f"needs {gigabytes:g} GB of disk in {tempfile.gettempdir()}, {free:.1f} GB are free")
    with tempfile.TemporaryDirectory(prefix="cx-bench-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)  # PostgreSQL's own user has to enter
        stand = Stand(layout.prepare(Path(directory).resolve()))
        try:
            stand.start(*names)
            yield stand
        finally:
            with suppress(Exception):
                stand.stop()
            processes.sweep(stand.stack.run_directory)
