"""What the supervisor decides, from what it sees and the clock."""

from dataclasses import replace

import pytest

from ops.stack.decide import (
    CONNECTOR_RESTARTS,
    Action,
    ConnectorAction,
    ConnectorRecord,
    Limits,
    Phase,
    Record,
    Seen,
    Step,
    backoff,
    decide,
    decide_connector,
)

LIMITS = Limits(start=90, stop=20, healthy_after=60, first_backoff=0.5, longest_backoff=30)
ALIVE = Seen(alive=True)
DEAD = Seen(alive=False, exit_text="killed by SIGKILL")


def step(phase: Phase, seen: Seen, now: float = 100.0, since: float = 100.0, **fields: int) -> tuple[Record, Action]:
    return decide(Record(phase, since, **fields), seen, now, LIMITS)


@pytest.mark.parametrize(
    ("phase", "seen", "next_phase", "action"),
    [
        (Phase.WAITING, Seen(needs_are_up=False), Phase.WAITING, Action.NOTHING),
        (Phase.WAITING, Seen(), Phase.PREPARING, Action.PREPARE),
        (Phase.PREPARING, Seen(step=Step.RUNNING), Phase.PREPARING, Action.NOTHING),
        (Phase.PREPARING, Seen(step=Step.DONE), Phase.STARTING, Action.START),
        (Phase.STARTING, replace(ALIVE, step=Step.IDLE), Phase.STARTING, Action.PROBE),
        (Phase.STARTING, replace(ALIVE, step=Step.RUNNING), Phase.STARTING, Action.NOTHING),
        (Phase.STARTING, replace(ALIVE, step=Step.DONE), Phase.SETTLING, Action.SETTLE),
        (Phase.SETTLING, replace(ALIVE, step=Step.RUNNING), Phase.SETTLING, Action.NOTHING),
        (Phase.SETTLING, replace(ALIVE, step=Step.DONE), Phase.UP, Action.NOTHING),
        (Phase.UP, replace(ALIVE, step=Step.DONE), Phase.UP, Action.NOTHING),
    ],
)
def test_a_part_comes_up_step_by_step(phase: Phase, seen: Seen, next_phase: Phase, action: Action) -> None:
    """Each step begins when the one before is done, and not before the parts it needs are up."""
    record, taken = step(phase, seen)

    assert (record.phase, taken) == (next_phase, action)


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.SETTLING, Phase.UNSETTLED, Phase.UP])
def test_a_part_that_dies_backs_off_and_is_counted(phase: Phase) -> None:
    """Whenever the process dies unasked, the restart is counted with the reason and follows after a pause."""
    record, action = step(phase, DEAD, restarts=2)

    assert record == Record(Phase.BACKING_OFF, 100.0, failures=1, restarts=3, last_exit="killed by SIGKILL")
    assert action is Action.NOTHING


def test_the_pause_doubles_and_is_capped() -> None:
    """Half a second after the first failure, twice as long after each further one, never above the cap."""
    assert [backoff(failures, LIMITS) for failures in (1, 2, 3, 6, 7, 1000)] == [0.5, 1.0, 2.0, 16.0, 30.0, 30.0]


def test_it_starts_again_only_after_the_pause_and_when_the_old_process_is_gone() -> None:
    """A part in its pause, or whose killed process still lives, does not start."""
    assert step(Phase.BACKING_OFF, DEAD, now=100.4, failures=1)[0].phase is Phase.BACKING_OFF
    assert step(Phase.BACKING_OFF, ALIVE, now=200.0, failures=1)[0].phase is Phase.BACKING_OFF
    assert step(Phase.BACKING_OFF, DEAD, now=100.5, failures=1)[0].phase is Phase.WAITING


def test_failures_are_forgotten_after_a_healthy_minute() -> None:
    """A part that was up for long starts its pauses from the shortest again; its restarts stay counted."""
    assert step(Phase.UP, ALIVE, now=159.0, failures=5, restarts=5)[0].failures == 5
    record, _ = step(Phase.UP, ALIVE, now=160.0, failures=5, restarts=5)
    assert (record.failures, record.restarts) == (0, 5)


def test_a_part_that_never_answers_is_killed() -> None:
    """A process that does not answer within its time is killed and counts as a failure."""
    record, action = step(Phase.STARTING, ALIVE, now=191.0)

    assert action is Action.KILL
    assert (record.phase, record.last_exit) == (Phase.BACKING_OFF, "did not answer within 90 s")


def test_a_part_that_only_has_to_live_is_up_once_it_is_steady() -> None:
    """A process that ends while it loads its libraries never counts as up."""
    limits, answering = replace(LIMITS, steady=2.0), replace(ALIVE, step=Step.DONE)

    assert decide(Record(Phase.STARTING, 100.0), answering, 101.9, limits)[1] is Action.PROBE
    assert decide(Record(Phase.STARTING, 100.0), answering, 102.0, limits)[1] is Action.SETTLE


def test_a_failed_migration_is_tried_again_without_a_restart() -> None:
    """When settling fails the process stays, and settling is tried again after the pause."""
    record, action = step(Phase.SETTLING, replace(ALIVE, step=Step.FAILED, error="no such column"))
    assert (record.phase, record.restarts, record.last_exit, action) == (Phase.UNSETTLED, 0, "no such column", Action.NOTHING)

    assert step(Phase.UNSETTLED, ALIVE, now=100.4, failures=1)[1] is Action.NOTHING
    assert step(Phase.UNSETTLED, ALIVE, now=100.5, failures=1)[1] is Action.SETTLE


def test_a_part_is_stopped_only_after_those_that_need_it() -> None:
    """While a part that needs this one still runs, this one is left alone; then it is asked to go."""
    unwanted = replace(ALIVE, wanted=False)

    assert step(Phase.UP, replace(unwanted, dependents_are_gone=False))[1] is Action.NOTHING
    assert step(Phase.UP, unwanted) == (Record(Phase.STOPPING, 100.0), Action.TERMINATE)


def test_a_part_that_does_not_go_is_killed_after_its_time() -> None:
    """The signal comes first, the kill only when the time for the batch in flight is over."""
    unwanted = replace(ALIVE, wanted=False)

    assert step(Phase.STOPPING, unwanted, now=120.0)[1] is Action.NOTHING
    assert step(Phase.STOPPING, unwanted, now=120.1)[1] is Action.KILL
    assert step(Phase.STOPPING, replace(DEAD, wanted=False))[0].phase is Phase.STOPPED


@pytest.mark.parametrize("phase", [Phase.WAITING, Phase.PREPARING, Phase.BACKING_OFF, Phase.UP])
def test_what_has_no_process_is_stopped_at_once(phase: Phase) -> None:
    """A part without a process needs no signal."""
    assert step(phase, replace(DEAD, wanted=False)) == (Record(Phase.STOPPED, 100.0), Action.NOTHING)


def test_a_part_that_is_wanted_again_starts_over() -> None:
    """A held part that may run again waits for what it needs, like at the first start."""
    assert step(Phase.STOPPED, DEAD)[0].phase is Phase.WAITING


def test_a_failed_connector_is_restarted_a_bounded_number_of_times() -> None:
    """Each restart waits twice as long as the one before; after the last one it is given up, once."""
    record, actions, now = ConnectorRecord(), [], 0.0
    for _ in range(200):
        record, action = decide_connector(record, runs=False, has_failed=True, now=now)
        actions.append(action)
        now += 1.0

    assert actions.count(ConnectorAction.RESTART) == CONNECTOR_RESTARTS
    assert actions.count(ConnectorAction.GIVE_UP) == 1


def test_a_connector_that_would_skip_changes_is_not_restarted() -> None:
    """A hopeless failure is given up at once: a restart would go on behind a gap."""
    record, action = decide_connector(ConnectorRecord(), runs=False, has_failed=True, now=0.0, hopeless=True)

    assert (action, record.restarts) == (ConnectorAction.GIVE_UP, 0)


def test_a_connector_that_runs_again_says_so_once() -> None:
    """After a give-up, the first sight of a running connector is the recovery."""
    given_up = ConnectorRecord(restarts=CONNECTOR_RESTARTS, given_up=True)

    record, action = decide_connector(given_up, runs=True, has_failed=False, now=10.0)
    assert action is ConnectorAction.RECOVERED
    assert decide_connector(record, runs=True, has_failed=False, now=11.0)[1] is ConnectorAction.NOTHING


def test_restarts_of_the_connector_are_forgotten_when_it_ran_for_long() -> None:
    """Five minutes of running make a later failure a first failure."""
    record, _ = decide_connector(ConnectorRecord(restarts=3), runs=True, has_failed=False, now=0.0)
    assert decide_connector(record, runs=True, has_failed=False, now=299.0)[0].restarts == 3
    assert decide_connector(record, runs=True, has_failed=False, now=300.0)[0].restarts == 0
