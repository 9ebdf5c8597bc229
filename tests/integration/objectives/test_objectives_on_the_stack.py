"""A worker that is away: the lag objective burns, is told, shows as unmet, and is over when it is back (F12)."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from ops.objectives import file
from tests.conftest import wait_until
from tests.stack_fixture import RunningStack

TICKET = """
insert into enrichment.ticket_signals (event_id, occurred_at, source_system, ticket_id, sentiment, churn_risk, effort, raw_tags,
    custom_metrics, evidence_url, idempotency_key, version)
values (gen_random_uuid(), now(), 'lagging', '1', 'neutral', 'low', 'low', '{}', '{}', 'https://e.example/1', 'lagging:1', 1)
"""


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    """The project's objectives with seconds in the place of hours, and a lag of at most two seconds."""
    document: dict[str, Any] = yaml.safe_load(file.DEFAULT_FILE.read_text())
    document |= {
        "sample_every": "1s",
        "slice": "2s",
        "burn_alerts": [{"severity": "critical", "long": "8s", "short": "3s", "rate": 3}],
    }
    lag = next(one for one in document["objectives"] if one["name"] == "consumer_lag")
    lag |= {"target": 2, "goal": 0.9, "window": "30s"}
    path = tmp_path / "objectives.yml"
    path.write_text(yaml.safe_dump({**document, "objectives": [lag]}))
    return path


@pytest.fixture
def watched(stack: RunningStack, quick: Path) -> Iterator[RunningStack]:
    """The stack whose notifier samples quickly; as it was afterwards."""
    stack.stop("notifier")
    stack.start("notifier", CX_OBJECTIVES=str(quick))
    yield stack
    stack.stop("notifier")
    stack.start("notifier")


def told(stack: RunningStack) -> list[str]:
    """The states of every notice about the lag."""
    query = "select state from ops.alert_outbox where fingerprint = 'objective:consumer_lag' order by alert_id"
    with psycopg.connect(stack.warehouse_url) as warehouse:
        return [row[0] for row in warehouse.execute(query)]


def status(stack: RunningStack, objectives: Path) -> tuple[int, dict[str, Any]]:
    """Exit code and answer of `cx status --json`."""
    program = str(Path(sys.executable).parent / "cx")
    environment = {**stack.environment, "CX_OBJECTIVES": str(objectives)}
    done = subprocess.run([program, "status", "--json"], env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, json.loads(done.stdout)


def test_the_lag_alert_fires_and_clears(watched: RunningStack, quick: Path) -> None:
    """Records wait: firing once, unmet in `cx status` with lag per partition; the worker is back: ok, and nothing behind."""
    watched.stop("worker")
    try:
        with psycopg.connect(watched.store_url) as store:
            store.execute(TICKET)
        wait_until(lambda: told(watched) == ["firing"], what="the lag being told")
        wait_until(lambda: status(watched, quick)[1]["objectives"][0]["met"] is False, what="the budget being overdrawn")
        code, facts = status(watched, quick)
    finally:
        watched.start("worker")
    wait_until(lambda: told(watched) == ["firing", "ok"], what="the end being told")

    (behind,) = [row for row in facts["lag"]["partitions"] if row["records"]]
    assert code == 1
    assert any(problem.startswith("objective consumer_lag is unmet: budget overdrawn by") for problem in facts["problems"])
    assert (behind["topic"], behind["records"]) == ("cx.enrichment.ticket_signals", 1)
    assert behind["seconds"] > 2
    assert facts["consumer_group"] == "cx-signals"
    assert facts["slot"]["wal_status"] == "reserved" and facts["slot"]["retained_bytes"] > 0
    assert 0 <= facts["slot"]["heartbeat_age_seconds"] < 30
    assert status(watched, quick)[1]["lag"]["records"] == 0
