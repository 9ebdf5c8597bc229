"""What messages and tables point to stands in the README."""

import json
import re

import pytest

from ops.cli import SUBCOMMANDS
from ops.settings import PROJECT_DIRECTORY
from stream.core.outcomes import Outcome
from stream.core.reasons import REMEDIES

README = (PROJECT_DIRECTORY / "README.md").read_text()
ANCHORS = {re.sub(r"[^\w-]", "", line.lstrip("# ").lower().replace(" ", "-")) for line in README.splitlines() if line[:1] == "#"}
SUITES = sorted((PROJECT_DIRECTORY / "expectations" / "suites").glob("*.json"))
RUNBOOK_IN_CODE = re.compile(r"""["']?runbook["']?\s*[:=]\s*["'](?P<anchor>[a-z-]+)["']""")


@pytest.mark.parametrize("suite", SUITES, ids=lambda path: path.stem)
def test_every_checks_runbook_section_exists(suite: object) -> None:
    """The section an expectation names is a heading of the README."""
    named = {one["meta"]["runbook"] for one in json.loads(suite.read_text())["expectations"]}  # type: ignore[attr-defined]

    assert named <= ANCHORS


def test_every_runbook_section_named_in_code_exists() -> None:
    """The section an alert names is a heading of the README."""
    sources = [path for folder in ("stream", "expectations", "ops") for path in (PROJECT_DIRECTORY / folder).rglob("*.py")]
    named = {match["anchor"] for path in sources for match in RUNBOOK_IN_CODE.finditer(path.read_text())}

    assert named
    assert named <= ANCHORS


def test_every_reason_and_remedy_is_listed() -> None:
    """The table of dead letters has each reason with the remedy that the letter itself carries."""
    for reason, remedy in REMEDIES.items():
        assert f"| `{reason.value}` | {remedy} |" in README


def test_every_outcome_is_listed() -> None:
    """The table of outcomes has all six."""
    for outcome in Outcome:
        assert f"| `{outcome.value}` |" in README


def test_every_command_is_mentioned() -> None:
    """No subcommand of cx is missing from the README."""
    missing = [name for name in SUBCOMMANDS if f"cx {name}" not in README]

    assert missing == []
