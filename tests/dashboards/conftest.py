"""A running stack with the sample in its marts and traffic behind it, its dashboards, and a browser that is logged in."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import yaml

from ops.cli.demo import SAMPLE
from ops.dashboards import install, place, server
from ops.stack import coverage
from tests.conftest import wait_until
from tests.dashboards.browser import chromium
from tests.dashboards.screen import Screen
from tests.stack_fixture import RunningStack

MINUTE_OF_TRAFFIC = ("--rate", "10", "--for", "20")


def cx(stack: RunningStack, *words: str) -> None:
    """Run a command of ours on this stack to its end."""
    program = str(Path(sys.executable).with_name("cx"))
    subprocess.run([program, *words], check=True, env=stack.environment, cwd=stack.run_directory, stdout=subprocess.DEVNULL)


def wait_until_published(stack: RunningStack) -> None:
    """Return when everything in the store is in the marts."""
    wait_until(lambda: coverage.look(stack.store_url, stack.warehouse_url).is_complete, 300, "everything being published")


@pytest.fixture(scope="session")
def filled(stack: RunningStack) -> RunningStack:
    """The stack with the sample and some traffic published, reconciled once."""
    cx(stack, "import", str(SAMPLE), "--map", "sample", "--allow-rejects", "--rejects", str(stack.run_directory / "rejects.csv"))
    wait_until_published(stack)
    cx(stack, "simulate", *MINUTE_OF_TRAFFIC)
    wait_until_published(stack)
    cx(stack, "reconcile")
    return stack


@pytest.fixture(scope="session")
def superset(filled: RunningStack) -> Iterator[place.Place]:
    """Superset beside the stack, as `make dashboards` starts it."""
    install.install(print)
    here = place.prepare(filled.run_directory)
    try:
        server.start(here, filled.bi_url, print)
        yield here
    finally:
        server.stop(filled.run_directory)


@pytest.fixture(scope="session")
def screen(superset: place.Place) -> Iterator[Screen]:
    """A browser, logged in."""
    with chromium() as page:
        screen = Screen(page, superset)
        screen.log_in()
        yield screen


@pytest.fixture
def bi(filled: RunningStack) -> Iterator[psycopg.Connection]:
    """The marts as bi_reader."""
    with psycopg.connect(filled.bi_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where screenshots are kept: CX_TEST_PICTURES, or a folder that stays after the run."""
    directory = Path(os.environ.get("CX_TEST_PICTURES") or tempfile.mkdtemp(prefix="cx-dashboards-"))
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@pytest.fixture(scope="session")
def chart_counts() -> dict[str, int]:
    """How many charts each dashboard has, by slug."""
    assets = [yaml.safe_load(file.read_text()) for file in (place.ASSETS / "dashboards").glob("*.yaml")]
    return {asset["slug"]: sum(part.startswith("CHART-") for part in asset["position"]) for asset in assets}
