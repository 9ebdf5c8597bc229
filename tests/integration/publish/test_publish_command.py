"""`cx publish` as its users meet it: exit codes, sentences, JSON."""

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result
from psycopg.conninfo import make_conninfo

from ops.cli import publish as command
from tests.integration.publish.conftest import Warehouse, a_result
from tests.integration.publish.test_publish_watch import Resident

CX = [sys.executable, "-c", "from ops.cli import main; main()"]


@pytest.fixture
def cx(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Calls `cx publish …` over the test warehouse, with its small builder instead of dbt."""
    monkeypatch.setenv("CX_WAREHOUSE_URL", warehouse.url)
    monkeypatch.setattr(command, "make_resident", lambda settings: Resident(warehouse))
    return lambda *arguments: CliRunner().invoke(command.publish, list(arguments))


def test_a_good_cycle_ends_with_zero(warehouse: Warehouse, cx: Callable[..., Result]) -> None:
    """Published: exit code 0, and JSON that says what changed and how long each stage took."""
    warehouse.land(1, 3)

    result = cx("--json")

    report = json.loads(result.output)
    assert result.exit_code == 0
    assert report["result"] == "published"
    assert report["rows_changed"]["fct_ticket_signals"]["inserted"] == 3
    assert set(report["stage_seconds"]) == {"landing gate", "dbt", "candidates gate", "plan", "publish"}


def test_a_held_cycle_ends_with_one(warehouse: Warehouse, cx: Callable[..., Result]) -> None:
    """Bad data: exit code 1 and the check's name."""
    warehouse.gate.failing["landing"] = a_result("landing", "failed")

    result = cx()

    assert result.exit_code == 1
    assert "held: critical: landing:is_right" in result.output


def test_a_cycle_that_cannot_be_checked_ends_with_two(warehouse: Warehouse, cx: Callable[..., Result]) -> None:
    """Not bad data, not a pass: exit code 2."""
    warehouse.gate.failing["landing"] = a_result("landing", "error")

    result = cx()

    assert result.exit_code == 2
    assert "could not be checked" in result.output


def test_a_second_publisher_ends_with_two(warehouse: Warehouse, cx: Callable[..., Result]) -> None:
    """It says who holds the lock and does nothing."""
    with warehouse.connect():
        result = cx()

    assert result.exit_code == 2
    assert "another publisher is at work" in result.output


def test_an_unreachable_warehouse_ends_with_two(cx: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, no stack trace."""
    monkeypatch.setenv("CX_WAREHOUSE_URL", "postgresql://cx:x@127.0.0.1:1/warehouse")

    result = cx("list")

    assert result.exit_code == 2
    assert result.output.startswith("cx publish: ")
    assert result.output.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["--watch"]], ids=["once", "watch"])
def test_a_publisher_that_is_not_let_in_ends_with_two(words: list[str], warehouse: Warehouse) -> None:
    """A wrong password is one sentence with the setting to look at, and no waiting: the real command, resident or not."""
    refused = make_conninfo(warehouse.url, user="nobody", password="wrong")
    environment = {**os.environ, "CX_WAREHOUSE_URL": refused, "CX_PUBLISHER_URL": ""}

    done = subprocess.run([*CX, "publish", *words], env=environment, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 2
    assert done.stderr.startswith("cx publish: the warehouse does not let this user in: password authentication failed")
    assert done.stderr.endswith("check CX_PUBLISHER_URL or CX_WAREHOUSE_URL\n")
    assert done.stderr.count("\n") == 1


def test_the_marts_can_be_asked_as_of_when(warehouse: Warehouse, cx: Callable[..., Result]) -> None:
    """For any moment: the publication the marts stood at, and which one last changed each mart."""
    warehouse.land(1, 3)
    cx()
    ((between,),) = warehouse.execute("select clock_timestamp()")
    warehouse.land(4, 4)
    cx()

    first = json.loads(cx("--as-of", between.isoformat(), "--json").output)
    now = json.loads(cx("--as-of", "2999-01-01", "--json").output)

    assert (first["id"], now["id"]) == (1, 2)
    assert {mart["mart"]: mart["publication"] for mart in now["marts"]} == {"fct_drivers": 2, "fct_ticket_signals": 2}
    assert "Nothing was published before" in cx("--as-of", "2000-01-01T00:00Z").output
    assert [row["id"] for row in json.loads(cx("list", "--json").output)] == [2, 1]


def test_a_time_that_is_none_is_refused(cx: Callable[..., Result]) -> None:
    """The sentence shows what a time looks like."""
    result = cx("--as-of", "yesterday-ish")

    assert result.exit_code == 2
    assert "is not a time such as 2026-11-24T09:00Z" in result.output


def test_held_tickets_are_listed(warehouse: Warehouse, cx: Callable[..., Result]) -> None:
    """Ticket, check, value and evidence; nothing held is said in words."""
    assert cx("held").output == "Nothing is held.\n"
    warehouse.execute(
        "insert into ops.held_tickets (source_system, ticket_id, reason, check_name, suite, field, value, evidence_url)"
        " values ('zendesk', 'T-1', 'bad effort', 'effort_is_known', 'landing', 'effort', 'none', 'https://evidence.example/T-1')"
    )

    line = cx("held").output

    assert "zendesk T-1  landing:effort_is_known  effort = 'none'  held since" in line
    assert "https://evidence.example/T-1" in line
    assert json.loads(cx("held", "--json").output)[0]["check"] == "landing:effort_is_known"
