"""Real parts for the tests: one embedded PostgreSQL per run; each test that asks gets a fresh database of its own."""

import itertools
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from ops import migrate
from ops.stack import postgres

pytest_plugins = ["tests.stack_fixture"]

# Examples are counted, not timed: a busy machine is no counterexample. HYPOTHESIS_PROFILE=deep runs 5,000 of each.
_ANY_SPEED = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("fast", max_examples=150, deadline=None, suppress_health_check=_ANY_SPEED)
settings.register_profile("deep", max_examples=5_000, deadline=None, suppress_health_check=_ANY_SPEED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))

_database_number = itertools.count(1)


def wait_until(condition: Callable[[], object], seconds: float = 60.0, what: str = "the condition") -> None:
    """Return as soon as the condition holds; fail with its name when the deadline passes."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not hold within {seconds:g} s")
        time.sleep(0.05)


def free_port() -> int:
    """A TCP port of the loopback interface that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    """A running PostgreSQL with templates `store_template` and `warehouse_template` at the newest revision."""
    with tempfile.TemporaryDirectory(prefix="cx-test-postgres-") as directory:
        Path(directory).chmod(0o755)
        fast = (("fsync", "off"), ("max_connections", "300"))
        server = postgres.Server(Path(directory) / "postgres", free_port(), secrets.token_hex(8), fast)
        postgres.initialise(server)
        process = subprocess.Popen(postgres.command(server), cwd="/", stderr=subprocess.DEVNULL, **postgres.run_as())  # type: ignore[call-overload]
        try:
            wait_until(lambda: postgres.is_ready(server), what="PostgreSQL being ready")
            postgres.ensure_databases(server, ["store_template", "warehouse_template"])
            migrate.upgrade(server.url("store_template"), migrate.STORE_MIGRATIONS)
            migrate.upgrade(server.url("warehouse_template"), migrate.WAREHOUSE_MIGRATIONS)
            yield server
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End PostgreSQL whatever still holds a session: SIGINT is its fast shutdown, which does not wait for clients."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()  # its children end when they miss it
        process.wait(timeout=10)


def _clone(server: postgres.Server, template: str) -> str:
    name = f"{template.removesuffix('_template')}_{next(_database_number)}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name} template {template}")  # type: ignore[arg-type]
    return server.url(name)


@pytest.fixture
def store_url(server: postgres.Server) -> str:
    """Address of a fresh, empty enrichment store."""
    return _clone(server, "store_template")


@pytest.fixture
def warehouse_url(server: postgres.Server) -> str:
    """Address of a fresh, empty warehouse."""
    return _clone(server, "warehouse_template")
