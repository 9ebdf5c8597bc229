"""A warehouse, a fake Slack, and the real notifier in a thread, quick enough for tests."""

import asyncio
import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.types.json import Jsonb

from ops.alerts.metrics import Metrics
from ops.alerts.notifier import Notifier, Setup
from ops.alerts.routes import Pace, Route, Routes
from ops.cli import main
from tests.conftest import free_port, wait_until
from tests.fakes import slack

QUICK = Pace(settle=timedelta(0), reopen_within=timedelta(0), letters_per_hour=100)
ROUTES = Routes({"default": "CX_SLACK_WEBHOOK_URL"}, (Route("default"),), pace=QUICK)


class Warehouse:
    """What the tests do to the warehouse and ask of it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection = psycopg.connect(url, autocommit=True)

    def notice(
        self, cause: str, state: str = "firing", severity: str = "critical", owner: str = "support-ops", **details: Any
    ) -> None:
        """Insert a row into the outbox, as whoever notices something does."""
        row = (cause, state, severity, owner, f"Something is wrong with {cause}.", Jsonb(details))
        columns = "fingerprint, state, severity, owner, summary, details"
        self.connection.execute(f"insert into ops.alert_outbox ({columns}) values (%s, %s, %s, %s, %s, %s)", row)

    def ask(self, query: str, *parameters: Any) -> list[Any]:
        """Rows of a query; a single column comes as plain values."""
        rows = self.connection.execute(query, parameters).fetchall()
        return [row[0] if len(row) == 1 else row for row in rows]

    def letters(self) -> list[str]:
        return self.ask("select state from ops.alert_deliveries order by delivery_id")

    def channel(self) -> str:
        return (self.ask("select state from ops.alert_channels") or ["unknown"])[0]

    def status(self) -> dict[str, Any]:
        """The row that `cx status` reads."""
        cursor = self.connection.execute("select * from ops.alert_status")
        return dict(zip([column.name for column in cursor.description or ()], cursor.fetchall()[0], strict=True))


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[Warehouse]:
    """A fresh warehouse with handy questions."""
    warehouse = Warehouse(warehouse_url)
    yield warehouse
    warehouse.connection.close()


@pytest.fixture
def fake() -> Iterator[slack.FakeSlack]:
    """A fake Slack that takes everything until told otherwise."""
    with slack.running() as fake:
        yield fake


@contextmanager
def notifying(url: str, webhook: str, routes: Routes = ROUTES, **more: str) -> Iterator[None]:
    """The notifier's loops in a thread, with a tick of 50 ms; `more` are webhooks of further channels."""
    webhooks = {"default": webhook, **more}
    setup = Setup(url, routes, webhooks, tick_seconds=0.05, timeout=httpx.Timeout(5.0, connect=1.0))
    loop = asyncio.new_event_loop()
    notifier = Notifier(setup, Metrics())
    task = loop.create_task(notifier.run())

    def run() -> None:
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(notifier.stop)
        thread.join(0.5)
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)
        assert not thread.is_alive(), "the notifier did not stop"
        loop.close()


def environment(url: str, **more: str) -> dict[str, str]:
    """The environment of a `cx` process that knows this warehouse and nothing of the machine's own stack."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CX_")}
    return kept | {"CX_WAREHOUSE_URL": url, "CX_RUN_DIRECTORY": "/nonexistent"} | more


def cx(*arguments: str, env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run `cx alerts …` to its end, in this process, as its entry point does."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(os, "environ", env)
        patch.setattr(sys, "argv", ["cx", "alerts", *arguments])
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return subprocess.CompletedProcess(sys.argv, code, out.getvalue(), err.getvalue())


@pytest.fixture
def serve(warehouse: Warehouse, fake: slack.FakeSlack) -> Iterator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    """Starts `cx alerts serve` as a process of its own; gives it and its address once it answers."""
    started: list[subprocess.Popen[str]] = []

    def start(**more: str) -> tuple[subprocess.Popen[str], str]:
        address = f"http://127.0.0.1:{free_port()}"
        own = {"CX_FLAG_URL": address, "CX_FLAG_SECRET": "a secret of the test", "CX_SLACK_WEBHOOK_URL": fake.address}
        command = [sys.executable, "-c", "from ops.cli import main; main()", "alerts", "serve"]
        process = subprocess.Popen(command, env=environment(warehouse.url, **(own | more)), stderr=subprocess.PIPE, text=True)
        started.append(process)
        wait_until(lambda: _answers(address), what="the notifier answering")
        return process, address

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=10)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/metrics").status_code == 200
    except httpx.TransportError:
        return False
