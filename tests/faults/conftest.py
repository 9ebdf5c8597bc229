"""One stack for all fault tests; each module begins with empty store, topics and landing."""

from collections.abc import Iterator

import pytest

from tests.faults.line import Line, install_journal
from tests.stack_fixture import RunningStack, running_stack, tmp_directory

UNCONCERNED = ("publisher", "notifier", "outbound", "reconciler")  # a repair in the background would hide what is judged here


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """PostgreSQL, Kafka, Connect and the worker; the store's changes are journalled for the judge."""
    with tmp_directory() as directory, running_stack(directory, without=UNCONCERNED) as running:
        install_journal(running.store_url)
        yield running


@pytest.fixture(scope="module")
def line(stack: RunningStack) -> Line:
    """An empty line: nothing in the store, the topics and landing."""
    line = Line(stack)
    line.renew()
    return line


@pytest.fixture(scope="module")
def own_line() -> Iterator[Line]:
    """A line with a stack of its own, for what cannot be healed: a lost slot, a changed table."""
    with tmp_directory() as directory, running_stack(directory, without=UNCONCERNED) as running:
        install_journal(running.store_url)
        yield Line(running)
