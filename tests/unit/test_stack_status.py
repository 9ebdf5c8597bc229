"""What `cx status` calls well, and what it shows of secrets."""

from typing import Any

import pytest

from ops.settings import Settings
from ops.stack.probes import summed_lag
from ops.stack.status import endpoints, nothing_runs, problems

UP = {"phase": "up", "pid": 1, "restarts": 0, "failures": 0, "last_exit": "", "up": True}
WELL: dict[str, Any] = {
    "supervised": True,
    "parts": {"worker": UP},
    "connector": {"state": "RUNNING", "tasks": ["RUNNING"], "trace": "", "given_up": False},
    "slot": {"active": True, "wal_status": "reserved", "unconfirmed_bytes": 0, "retained_bytes": 0, "safe_bytes": None},
    "lag": {"records": 0, "worst": None},
    "last_cycle": {"outcome": "published", "message": ""},
    "outbound": {"records": 9, "filling": None, "seconds_behind": 0.2, "crm_waiting": 1, "crm_refused": 0},
    "dead_letters": {"open": 3, "by_reason": {"conflict": 3}},
    "objectives": [{"name": "end_to_end_p95", "problem": ""}],
    "alerts": {"oldest_unprocessed_seconds": 0.0, "unprocessed": 0, "critical": [], "channels": []},
}


def test_a_running_pipeline_is_well_whatever_its_dead_letters() -> None:
    """Dead letters are data that waits for a person, not a part that is broken."""
    assert problems(WELL) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"parts": {"worker": {**UP, "phase": "backing off", "last_exit": "exit code 1"}}}, "worker is backing off"),
        ({"parts": {"worker": {**UP, "failures": 3}}}, "worker is up, but keeps dying"),
        ({"connector": {**WELL["connector"], "tasks": ["FAILED"], "trace": "no slot"}}, "its tasks: FAILED no slot"),
        ({"connector": {**WELL["connector"], "tasks": []}}, "its tasks: none"),
        ({"connector": {**WELL["connector"], "given_up": True}}, "no longer restarts the connector"),
        ({"connector": {"unreadable": "refused"}}, "connector cannot be read: refused"),
        ({"slot": None}, "no replication slot"),
        ({"slot": {**WELL["slot"], "wal_status": "lost"}}, "slot is lost"),
        ({"slot": {**WELL["slot"], "active": False}}, "nobody reads the replication slot"),
        ({"lag": {"unreadable": "refused"}}, "lag cannot be read: refused"),
        ({"warehouse": {"unreadable": "refused"}}, "warehouse cannot be read: refused"),
        ({"last_cycle": {"outcome": "held", "message": "sentiment missing"}}, "was held: sentiment missing"),
        ({"outbound": {**WELL["outbound"], "seconds_behind": 31.0}}, "outbound topics are 31 s behind"),
        ({"outbound": {**WELL["outbound"], "crm_refused": 2}}, "refuses the flags of 2 accounts"),
        ({"alerts": {**WELL["alerts"], "unprocessed": 2, "oldest_unprocessed_seconds": 61.0}}, "2 alerts wait"),
        (
            {"alerts": {**WELL["alerts"], "channels": [{"channel": "a", "state": "broken", "last_error": "410"}]}},
            "a is broken: 410",
        ),
        ({"objectives": [{"name": "lag", "problem": "objective lag is unmet"}]}, "objective lag is unmet"),
        ({"alerts": {**WELL["alerts"], "critical": [{"summary": "drift", "owner": "data"}]}}, "critical: drift (data)"),
    ],
)
def test_each_thing_that_is_wrong_is_one_sentence(change: dict[str, Any], words: str) -> None:
    """Whatever is not well shows as exactly one problem that names it."""
    (problem,) = problems({**WELL, **change})

    assert words in problem


def test_nothing_runs_only_when_nobody_answers() -> None:
    """Without a supervisor the pipeline may still run elsewhere: then warehouse or Connect answers."""
    silent = {"unreadable": "refused"}

    assert nothing_runs({"supervised": False, "warehouse": silent, "connector": silent})
    assert not nothing_runs({"supervised": False, "connector": WELL["connector"], "warehouse": silent})
    assert not nothing_runs({"supervised": False, "connector": silent})


def test_no_secret_is_shown_in_the_endpoints() -> None:
    """Passwords and the path of the webhook are masked; hosts, ports and databases stay."""
    shown = endpoints(
        Settings(
            store_url="postgresql://cx:hush@127.0.0.1:5432/store",
            bi_url="postgresql://bi_reader:hush@127.0.0.1:5432/warehouse",
            slack_webhook_url="https://hooks.example/services/T0/B0/hush",
        )
    )

    assert "hush" not in str(shown)
    assert shown["CX_STORE_URL"] == "postgresql://cx:***@127.0.0.1:5432/store"
    assert shown["CX_SLACK_WEBHOOK_URL"] == "https://hooks.example/***"


def test_lag_is_summed_and_its_worst_partition_named() -> None:
    """A partition that is ahead (its records were deleted by age) does not hide one that is behind."""
    lag = summed_lag({("t", 0): 5, ("t", 1): -3, ("t", 2): 7}, {("t", 0): 9.0, ("t", 2): 4.0})

    assert (lag["records"], lag["seconds"]) == (12, 9.0)
    assert lag["worst"] == {"topic": "t", "partition": 2, "records": 7, "seconds": 4.0}
    assert [row["records"] for row in lag["partitions"]] == [5, 0, 7]
    assert summed_lag({}) == {"records": 0, "seconds": 0.0, "worst": None, "partitions": []}


def test_an_age_that_is_not_known_is_not_called_zero() -> None:
    """Records that wait without a known age give no number; an empty partition is 0 s behind."""
    assert summed_lag({("t", 0): 5})["seconds"] is None
    assert summed_lag({("t", 0): 0})["seconds"] == 0.0
