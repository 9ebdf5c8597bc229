"""What the supervisor does next: pure decisions about one part, or about the connector, from what is seen and the clock.

A part goes waiting → preparing → starting → settling → up. When it dies it backs off and begins again; when it is not
wanted it is stopped once nothing that needs it runs. All times are seconds of one monotonic clock.
"""

from dataclasses import dataclass, replace
from enum import StrEnum


class Phase(StrEnum):
    WAITING = "waiting"  # for the parts it needs
    PREPARING = "preparing"  # files are made, no process yet
    STARTING = "starting"  # the process runs, it does not answer yet
    SETTLING = "settling"  # it answers; schema, topics or connector are brought up to date
    UNSETTLED = "unsettled"  # that failed; it is tried again after a while
    UP = "up"
    BACKING_OFF = "backing off"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Action(StrEnum):
    NOTHING = "nothing"
    PREPARE = "prepare"
    START = "start"
    PROBE = "probe"
    SETTLE = "settle"
    TERMINATE = "terminate"
    KILL = "kill"


class Step(StrEnum):
    """How the part's current chore (prepare, probe or settle) stands."""

    IDLE = "idle"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Record:
    """What the supervisor remembers of a part. `failures` counts since it was last up for long, `restarts` since the start."""

    phase: Phase = Phase.WAITING
    since: float = 0.0
    failures: int = 0
    restarts: int = 0
    last_exit: str = ""


@dataclass(frozen=True)
class Seen:
    """What can be seen of a part at one moment."""

    alive: bool = False
    exit_text: str = ""  # how the process ended, e.g. "killed by SIGKILL"
    step: Step = Step.IDLE
    error: str = ""  # why the step failed
    wanted: bool = True
    needs_are_up: bool = True
    dependents_are_gone: bool = True


@dataclass(frozen=True)
class Limits:
    """Patience, in seconds."""

    start: float = 90.0
    steady: float = 0.0  # a part that only has to live counts as up after this long
    stop: float = 20.0
    healthy_after: float = 60.0
    first_backoff: float = 0.5
    longest_backoff: float = 30.0


def backoff(failures: int, limits: Limits) -> float:
    """Pause before the next try after this many failures in a row: doubled each time, capped."""
    doubled: float = limits.first_backoff * 2.0 ** max(0, failures - 1)
    return min(limits.longest_backoff, doubled)


def decide(record: Record, seen: Seen, now: float, limits: Limits) -> tuple[Record, Action]:
    """The part's next record and the one thing to do to it now."""
    if seen.wanted:
        return _towards_up(record, seen, now, limits)
    return _towards_stopped(record, seen, now, limits)


def _towards_up(record: Record, seen: Seen, now: float, limits: Limits) -> tuple[Record, Action]:  # noqa: PLR0911 - a decision table
    match record.phase:
        case Phase.STOPPED:
            return _enter(record, Phase.WAITING, now), Action.NOTHING
        case Phase.STOPPING:
            return _await_end(record, seen, now, limits, Phase.WAITING)
        case Phase.WAITING if seen.needs_are_up:
            return _enter(record, Phase.PREPARING, now), Action.PREPARE
        case Phase.PREPARING if seen.step is Step.DONE:
            return _enter(record, Phase.STARTING, now), Action.START
        case Phase.PREPARING if seen.step is Step.FAILED:
            return _failed(record, seen.error, now), Action.NOTHING
        case Phase.BACKING_OFF if not seen.alive and now - record.since >= backoff(record.failures, limits):
            return _enter(record, Phase.WAITING, now), Action.NOTHING
        case Phase.WAITING | Phase.PREPARING | Phase.BACKING_OFF:
            return record, Action.NOTHING
        case _:
            return _running(record, seen, now, limits)


def _running(record: Record, seen: Seen, now: float, limits: Limits) -> tuple[Record, Action]:  # noqa: PLR0911 - a decision table
    if not seen.alive:
        return _failed(record, seen.exit_text, now), Action.NOTHING
    match record.phase, seen.step:
        case Phase.STARTING, Step.DONE if now - record.since >= limits.steady:
            return _enter(record, Phase.SETTLING, now), Action.SETTLE
        case Phase.STARTING, _ if now - record.since > limits.start:
            return _failed(record, f"did not answer within {limits.start:g} s", now), Action.KILL
        case Phase.STARTING, Step.IDLE | Step.FAILED | Step.DONE:
            return record, Action.PROBE
        case Phase.SETTLING, Step.DONE:
            return _enter(record, Phase.UP, now), Action.NOTHING
        case Phase.SETTLING, Step.FAILED:
            unsettled = replace(record, failures=record.failures + 1, last_exit=seen.error)
            return _enter(unsettled, Phase.UNSETTLED, now), Action.NOTHING
        case Phase.UNSETTLED, _ if now - record.since >= backoff(record.failures, limits):
            return _enter(record, Phase.SETTLING, now), Action.SETTLE
        case Phase.UP, _ if record.failures and now - record.since >= limits.healthy_after:
            return replace(record, failures=0), Action.NOTHING
        case _:
            return record, Action.NOTHING


def _towards_stopped(record: Record, seen: Seen, now: float, limits: Limits) -> tuple[Record, Action]:
    match record.phase:
        case Phase.STOPPED:
            return record, Action.NOTHING
        case Phase.STOPPING:
            return _await_end(record, seen, now, limits, Phase.STOPPED)
        case Phase.PREPARING if seen.step is Step.RUNNING:
            return record, Action.NOTHING
        case _ if not seen.alive:
            return _enter(record, Phase.STOPPED, now), Action.NOTHING
        case _ if seen.dependents_are_gone:
            return _enter(record, Phase.STOPPING, now), Action.TERMINATE
        case _:
            return record, Action.NOTHING


def _await_end(record: Record, seen: Seen, now: float, limits: Limits, then: Phase) -> tuple[Record, Action]:
    if not seen.alive:
        return replace(_enter(record, then, now), last_exit=seen.exit_text), Action.NOTHING
    return record, Action.KILL if now - record.since > limits.stop else Action.NOTHING


def _enter(record: Record, phase: Phase, now: float) -> Record:
    return replace(record, phase=phase, since=now)


def _failed(record: Record, why: str, now: float) -> Record:
    counted = replace(record, failures=record.failures + 1, restarts=record.restarts + 1, last_exit=why)
    return _enter(counted, Phase.BACKING_OFF, now)


@dataclass(frozen=True)
class ConnectorRecord:
    """What the supervisor remembers of the connector: restarts since it last ran for long, and when it began to run."""

    restarts: int = 0
    tried_at: float = float("-inf")
    running_since: float | None = None
    given_up: bool = False


class ConnectorAction(StrEnum):
    NOTHING = "nothing"
    RESTART = "restart"
    GIVE_UP = "give up"
    RECOVERED = "recovered"


CONNECTOR_RESTARTS = 5
CONNECTOR_HEALTHY_SECONDS = 300.0


def decide_connector(
    record: ConnectorRecord, runs: bool, has_failed: bool, now: float, hopeless: bool = False
) -> tuple[ConnectorRecord, ConnectorAction]:
    """Restart a FAILED task a bounded number of times, each later than the one before; then, or when a restart would do
    harm (`hopeless`), leave it to a person."""
    if runs:
        since = now if record.running_since is None else record.running_since
        if record.given_up:
            return ConnectorRecord(running_since=since), ConnectorAction.RECOVERED
        healthy = now - since >= CONNECTOR_HEALTHY_SECONDS
        return replace(record, running_since=since, restarts=0 if healthy else record.restarts), ConnectorAction.NOTHING
    stopped = replace(record, running_since=None)
    if not has_failed or record.given_up:
        return stopped, ConnectorAction.NOTHING
    if hopeless or record.restarts >= CONNECTOR_RESTARTS:
        return replace(stopped, given_up=True), ConnectorAction.GIVE_UP
    if now - record.tried_at < 2.0**record.restarts:
        return stopped, ConnectorAction.NOTHING
    return replace(stopped, restarts=record.restarts + 1, tried_at=now), ConnectorAction.RESTART
