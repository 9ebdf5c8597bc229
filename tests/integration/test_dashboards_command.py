"""Where Superset lives, and what `cx dashboards` says to a person before there is anything to show."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from ops.cli import COULD_NOT_RUN
from ops.cli.dashboards import dashboards
from ops.dashboards import place, server
from ops.dashboards.install import DashboardsError


def test_the_log_in_is_chosen_once_and_private(tmp_path: Path) -> None:
    """A second start finds the same port, password and secret, in a file that only its owner reads."""
    first = place.prepare(tmp_path)

    assert place.prepare(tmp_path) == first
    assert len(first.password) >= 12 and first.password != first.secret
    assert (first.directory / "login.env").stat().st_mode & 0o777 == 0o600


def test_two_stacks_have_different_passwords(tmp_path: Path) -> None:
    """Each run directory has a log-in of its own."""
    assert place.prepare(tmp_path / "one").password != place.prepare(tmp_path / "other").password


def test_without_a_stack_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No warehouse address: one sentence that names the variable and the command, before anything is installed."""
    for variable in ("CX_BI_URL", "CX_WAREHOUSE_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("CX_RUN_DIRECTORY", str(tmp_path))

    result = CliRunner().invoke(dashboards, ["start"])

    assert "CX_BI_URL" in str(result.exception) and "make demo" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_warehouse_that_is_down_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack that does not run: exit code 2 and how to start it, without a stack trace."""
    monkeypatch.setenv("CX_RUN_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("CX_BI_URL", "postgresql://bi_reader:x@127.0.0.1:1/warehouse")

    result = CliRunner().invoke(dashboards, ["start"])

    assert result.exit_code == COULD_NOT_RUN
    assert "does not answer" in result.output and "cx up" in result.output


def test_marts_that_do_not_exist_yet_are_named(warehouse_url: str) -> None:
    """A warehouse into which nothing was published has nothing to show."""
    with pytest.raises(DashboardsError, match="nothing was published yet"):
        server.require_marts(warehouse_url)


def test_stopping_what_does_not_run_is_no_error(tmp_path: Path) -> None:
    """`cx dashboards stop` and `cx down` may come at any time."""
    assert server.stop(tmp_path) is False
