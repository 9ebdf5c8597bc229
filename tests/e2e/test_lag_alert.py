"""F12's alert on the running system: the worker is down, the notifier tells; the worker is back, the notifier tells that too."""

from pathlib import Path

import psycopg
import yaml

from ops.objectives.file import DEFAULT_FILE
from tests.conftest import wait_until
from tests.faults.traffic import UPSERT, bound, signal
from tests.stack_fixture import RunningStack

TOLD = "select state from ops.alert_outbox where fingerprint = 'stream:lag' order by alert_id"


def test_lag_is_told_while_the_worker_is_down_and_ends_with_its_return(stack: RunningStack, tmp_path: Path) -> None:
    """A record waits for a worker that is held down: `stream:lag` fires (here after 5 s); it starts again: the alert is over."""
    promises = yaml.safe_load(DEFAULT_FILE.read_text())
    promises["sample_every"] = "2s"
    promises["objectives"] = [{**one, "target": 5} for one in promises["objectives"] if one["name"] == "consumer_lag"]
    file = tmp_path / "objectives.yml"
    file.write_text(yaml.safe_dump(promises))
    stack.stop("notifier")
    stack.start("notifier", CX_OBJECTIVES=str(file))

    with psycopg.connect(stack.warehouse_url, autocommit=True) as warehouse:

        def told() -> list[str]:
            return [state for (state,) in warehouse.execute(TOLD).fetchall()]

        before = told()
        stack.stop("worker")
        with psycopg.connect(stack.store_url) as store:
            store.execute(UPSERT, bound(signal("waits")))
        wait_until(lambda: told() == [*before, "firing"], 90, "the lag alert")
        stack.start("worker")
        wait_until(lambda: told() == [*before, "firing", "ok"], 90, "the end of the lag alert")
    stack.stop("notifier")
    stack.start("notifier")
