"""The supervisor: one loop that looks at every part, asks ops.stack.decide what to do, does it, and writes down what is.

Slow chores (prepare, probe, settle) run in threads, so that a signal is answered at once. A file
`<run directory>/control/<part>.hold` keeps a part down; `<part>.env` adds variables at its next start.
"""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ops.settings import read_env_file
from ops.stack import background, metrics, processes
from ops.stack.connector_watch import ConnectorWatch
from ops.stack.decide import Action, Phase, Record, Seen, Step, decide
from ops.stack.layout import Stack, StackError, write_private
from ops.stack.parts import Part, base_environment

TICK_SECONDS = 0.1


@dataclass
class Running:
    """A part with its record, its process and its chore."""

    part: Part
    record: Record = field(default_factory=Record)
    process: subprocess.Popen[bytes] | None = None
    chore: Future[bool] | Future[None] | None = None

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """Runs the parts of one stack until it is told to stop."""

    def __init__(self, stack: Stack, parts: Iterable[Part], say: Callable[[str], None]) -> None:
        self._stack = stack
        self._running = {part.name: Running(part) for part in parts}
        self._say = say
        self._stop = threading.Event()
        self._written = ""
        self._watch = ConnectorWatch(stack, say)

    def request_stop(self) -> None:
        """Stop everything in reverse order; `run` returns when no part is left."""
        self._stop.set()

    def run(self) -> None:
        """Supervise until a stop was requested and every part has stopped."""
        while not self._is_over():
            for running in self._running.values():
                self._advance(running)
            self._watch_connector()
            self._write_state()
            self._stop.wait(TICK_SECONDS) if not self._stop.is_set() else time.sleep(TICK_SECONDS)
        self._write_state()

    def _is_over(self) -> bool:
        return self._stop.is_set() and all(running.record.phase is Phase.STOPPED for running in self._running.values())

    def _advance(self, running: Running) -> None:
        before = running.record
        running.record, action = decide(before, self._look(running), time.monotonic(), running.part.limits)
        self._act(running, action)
        if running.record.phase is not before.phase:
            self._tell(running, before)

    def _look(self, running: Running) -> Seen:
        step, error = _step(running)
        return Seen(
            alive=running.is_alive,
            exit_text=processes.exit_text(running.process.poll()) if running.process else "",
            step=step,
            error=error,
            wanted=not self._stop.is_set() and not self._control(running.part, "hold").exists(),
            needs_are_up=all(self._is_up(name) for name in running.part.needs),
            dependents_are_gone=not self._stop.is_set() or not self._has_dependents(running.part),
        )

    def _is_up(self, name: str) -> bool:
        return name not in self._running or self._running[name].record.phase is Phase.UP

    def _has_dependents(self, part: Part) -> bool:
        others = (other for other in self._running.values() if part.name in other.part.needs)
        return any(other.is_alive for other in others)

    def _act(self, running: Running, action: Action) -> None:
        match action:
            case Action.PREPARE:
                running.chore = background.call(running.part.prepare)
            case Action.START:
                self._start(running)
            case Action.PROBE:
                running.chore = background.call(running.part.is_ready)
            case Action.SETTLE:
                running.chore = background.call(running.part.settle)
            case Action.TERMINATE if running.process:
                running.process.send_signal(running.part.stop_signal)
            case Action.KILL if running.process:
                processes.signal_group(running.process.pid, signal.SIGKILL)

    def _start(self, running: Running) -> None:
        part, running.chore = running.part, None
        extra = read_env_file(self._control(part, "env"))
        log = self._stack.logs / f"{part.name}.log"
        processes.bound(log)
        running.process = processes.spawn(
            part.command(),
            log=log,
            run_directory=self._stack.run_directory,
            environment={**base_environment(self._stack), **part.environment, **extra},
            stop_signal=part.stop_signal,
            run_as=part.run_as,
        )
        processes.write_pid(self._stack.run_directory, part.name, running.process.pid)

    def _control(self, part: Part, kind: str) -> Path:
        return self._stack.run_directory / "control" / f"{part.name}.{kind}"

    def _tell(self, running: Running, before: Record) -> None:
        record, name = running.record, running.part.name
        match record.phase:
            case Phase.UP:
                self._say(f"{name} is up")
            case Phase.BACKING_OFF:
                self._say(f"{name} went down ({record.last_exit}); restart number {record.restarts} follows")
            case Phase.UNSETTLED:
                self._say(f"{name}: {record.last_exit}; it is tried again")
            case Phase.STOPPED if before.phase is Phase.STOPPING:
                self._say(f"{name} stopped ({record.last_exit})")

    def _watch_connector(self) -> None:
        connect = self._running.get("connect")
        if connect and connect.record.phase in (Phase.UP, Phase.UNSETTLED) and not self._stop.is_set():
            self._watch.look(time.monotonic())
        for running in self._running.values():
            processes.bound(self._stack.logs / f"{running.part.name}.log")

    def describe(self) -> dict[str, Any]:
        """Every part and the connector, as `cx status` and the metrics show them."""
        parts = {name: _described(running) for name, running in self._running.items()}
        return {"parts": parts, "connector": self._watch.described()}

    def _write_state(self) -> None:
        text = json.dumps(self.describe(), indent=2)
        if text != self._written:
            write_private(self._stack.run_directory / "state.json", text)
            self._written = text


def _step(running: Running) -> tuple[Step, str]:
    if running.chore is None:
        return Step.IDLE, ""
    if not running.chore.done():
        return Step.RUNNING, ""
    error = running.chore.exception()
    if error is not None:
        return Step.FAILED, str(error) or type(error).__name__
    # A probe that says no is asked again; None is the answer of a chore that is simply done.
    return (Step.IDLE, "") if running.chore.result() is False else (Step.DONE, "")


def _described(running: Running) -> dict[str, object]:
    pid = running.process.pid if running.process and running.is_alive else None
    record = running.record
    return {
        "phase": record.phase,
        "pid": pid,
        "restarts": record.restarts,
        "failures": record.failures,
        "last_exit": record.last_exit,
    }


def supervise(stack: Stack, parts: list[Part], say: Callable[[str], None]) -> None:
    """Clean up after a supervisor that was killed, then run the parts until SIGTERM or SIGINT.

    Raises StackError when a supervisor runs here already.
    """
    lock = processes.take_lock(stack.run_directory)
    if lock is None:
        raise StackError(f"a supervisor is already running for {stack.run_directory}")
    with lock:
        ended = processes.sweep(stack.run_directory)
        if ended:
            say(f"ended {ended} processes that an earlier supervisor left behind")
        processes.write_pid(stack.run_directory, "supervisor", os.getpid())
        supervisor = Supervisor(stack, parts, say)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: supervisor.request_stop())
        try:
            metrics.serve(supervisor.describe, stack.supervisor_metrics_port)
        except OSError as error:
            say(f"the supervisor has no /metrics: port {stack.supervisor_metrics_port}: {error.strerror}")
        supervisor.run()
        (stack.run_directory / "state.json").unlink(missing_ok=True)
