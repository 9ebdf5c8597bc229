"""F15: a dead letter redriven after the fix, again, and after a newer version landed, on the running line."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.faults.line import Line
from tests.faults.traffic import signal

FURIOUS = {"sentiment": "furious"}


@pytest.mark.ci
def test_a_redrive_is_applied_once_then_a_duplicate(line: Line) -> None:
    """F15: after the fix it is applied; redriven again, with the worker beside it, it changes nothing; both are audited.

    Guard: keys that stand are known (stream/core/tickets.py). Seen without: the second redrive broke off with a unique violation.
    """
    line.write(signal("once", **FURIOUS))
    line.settle()
    first = redrive(line, "once", "--set", "sentiment=negative", "--why", "the model learnt a new word")
    landed = line.landed("once")
    second = redrive(line, "once", "--set", "sentiment=negative", "--status", "any")
    line.settle()

    assert (outcomes(first), outcomes(second)) == (["applied"], ["duplicate"])
    assert landed is not None
    assert (landed["sentiment"], line.landed("once")) == ("negative", landed)
    assert line.dead_letters("once") == []
    assert audited(line, "once") == [("replay", "applied"), ("replay", "duplicate")]


@pytest.mark.ci
def test_a_redrive_after_a_newer_version_is_stale(line: Line) -> None:
    """F15: the newer version stays the latest, the mended one joins the history.

    Guard: a lower version is no latest. Seen without (the fold's and the upsert's): the mended version 1 was applied over it.
    """
    line.write(signal("overtaken", **FURIOUS), signal("overtaken", 2))
    line.settle()

    assert outcomes(redrive(line, "overtaken", "--set", "sentiment=negative")) == ["stale"]
    assert (line.landed("overtaken") or {})["version"] == 2
    assert history(line, "overtaken") == [1, 2]
    assert audited(line, "overtaken") == [("replay", "stale")]


@pytest.mark.ci
def test_a_redrive_cannot_bring_back_a_deleted_ticket(line: Line) -> None:
    """The delete erased the letter too: there is nothing to redrive, and the ticket stays gone.

    Guard: erasing a letter takes its payload. Seen without: it was redriven, and only the tombstone made it stale.
    """
    line.write(signal("gone", **FURIOUS))
    line.settle()
    line.delete("gone")
    line.settle()
    done = redrive(line, "gone", "--set", "sentiment=negative", "--status", "any")

    assert outcomes(done) == ["erased"]
    assert line.landed("gone") is None
    assert history(line, "gone") == []


@pytest.mark.ci
def test_redrives_leave_the_accounting_right(line: Line) -> None:
    """Every consumed record is still accounted for: a redrive counts as a redelivery of its offset.

    When the store holds the mended rows too, they are duplicates of what was redriven, and the judge has nothing to say.
    Guard: a redrive is counted as redelivered. Seen without: two partitions had more outcomes than offsets (4 for 2, 5 for 4).
    """
    redriven = sum(outcome in ("applied", "duplicate", "stale") for _, outcome in audited(line, "%"))
    before = line.outcomes()["duplicate"]
    line.write(signal("once"), signal("overtaken"), signal("overtaken", 2))
    line.assert_right(letters=False)
    assert line.outcomes()["duplicate"] == before + 3

    assert redriven == line.outcomes()["redelivered"] > 0
    sums = "applied + duplicate + stale + conflict + rejected + deleted - redelivered + missing"
    assert line.warehouse(f"select bool_and({sums} = next_offset - first_offset) from landing.consumed_records") == [(True,)]


def redrive(line: Line, ticket: str, *options: str) -> dict[str, Any]:
    """`cx dead-letters replay` of a ticket's letters, as on-call runs it."""
    words = ["dead-letters", "replay", "--ticket", f"zendesk:{ticket}", *options, "--json"]
    command = [sys.executable, "-c", "from ops.cli import main; main()", *words]
    done = subprocess.run(command, env=line.stack.environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def outcomes(document: dict[str, Any]) -> list[str]:
    return [letter["outcome"] for letter in document["letters"]]


def history(line: Line, ticket: str) -> list[int]:
    """The ticket's versions in landing."""
    rows = line.warehouse("select version from landing.ticket_signal_versions where ticket_id = %s order by 1", [ticket])
    return [version for (version,) in rows]


def audited(line: Line, ticket: str) -> list[tuple[str, str]]:
    """What people did to a ticket's letters (a LIKE pattern), and what came of it."""
    return line.warehouse(
        "select action, outcome from ops.dead_letter_actions inner join landing.dead_letters using (dead_letter_id) "
        "where ticket_id like %s and action = 'replay' order by action_id",
        [ticket],
    )
