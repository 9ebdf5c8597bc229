"""The resident publisher as its own process: it keeps others out, and replaces itself when it grew."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from expectations.policy import DEFAULT_POLICY
from ops.stack import processes
from tests.conftest import free_port, wait_until
from tests.integration.publish.conftest import Warehouse

CX = Path(sys.executable).parent / "cx"
SESSION = "select pid from pg_stat_activity where application_name = 'cx publish' and datname = current_database()"


@pytest.fixture
def environment(warehouse_url: str, tmp_path: Path) -> dict[str, str]:
    """Settings of a publisher that starts afresh after every second cycle."""
    policy = yaml.safe_load(DEFAULT_POLICY.read_text())
    policy["cycle"] |= {"recycle_after_cycles": 2, "recycle_megabytes": 1}
    file = tmp_path / "policy.yml"
    file.write_text(yaml.safe_dump(policy))
    return {
        "CX_WAREHOUSE_URL": warehouse_url,
        "CX_RUN_DIRECTORY": str(tmp_path),
        "CX_PUBLISH_POLICY": str(file),
        "CX_PUBLISHER_METRICS_PORT": str(free_port()),
    }


@pytest.fixture
def publisher(environment: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A running `cx publish --watch`; what it says is in publisher.log."""
    with (tmp_path / "publisher.log").open("wb") as log:
        process = subprocess.Popen([CX, "publish", "--watch"], env=environment, stdout=log, stderr=log)
    yield process
    process.kill()
    process.wait(timeout=10)


@pytest.mark.timeout(1200)  # three starts of dbt and Great Expectations, on a machine that may be busy
def test_a_publisher_that_grew_replaces_itself_and_goes_on(
    warehouse: Warehouse, environment: dict[str, str], publisher: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """After its second cycle it becomes a fresh process of the same pid, with a new session, and publishes what is new.

    While it runs, `cx publish` says so and ends with 2.
    """
    warehouse.land(1, 60)
    wait_until(lambda: publications(warehouse) == 1, 300, "the first publication")
    session, started = warehouse.execute(SESSION), processes.start_ticks(publisher.pid)

    second = subprocess.run([CX, "publish"], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 2
    assert second.stderr.startswith(f"cx publish: another publisher is at work (database session {session[0][0]}, since ")

    warehouse.land(61, 70)
    wait_until(lambda: publications(warehouse) >= 3, 300, "the first publication of its successor")
    warehouse.land(71, 80)
    wait_until(lambda: tickets(warehouse) == 80, 300, "its successor publishing what is new")

    assert publisher.poll() is None
    assert processes.start_ticks(publisher.pid) == started
    assert warehouse.execute(SESSION) != session
    assert "no /metrics" not in (tmp_path / "publisher.log").read_text()
    publisher.send_signal(signal.SIGTERM)
    assert publisher.wait(timeout=120) in (0, -signal.SIGTERM), "a signal while it starts afresh ends it too"


def publications(warehouse: Warehouse) -> int:
    return len(warehouse.execute("select id from marts.publications"))


def tickets(warehouse: Warehouse) -> int:
    return len(warehouse.execute("select ticket_id from marts.fct_ticket_signals"))
