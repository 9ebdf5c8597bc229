"""F12's alert on the running system: the worker is down, the notifier tells; the worker is back, the notifier tells that too."""

from pathlib import Path
from typing import Any

import psycopg
import yaml

from ops.objectives.file import DEFAULT_FILE
from tests.conftest import wait_until
from tests.faults.proxy import Proxy
from tests.faults.traffic import UPSERT, bound, signal
from tests.stack_fixture import RunningStack

TOLD = "select state from ops.alert_outbox where fingerprint = 'stream:lag' order by alert_id"


def test_lag_is_told_while_the_worker_is_down_and_ends_with_its_return(stack: RunningStack, tmp_path: Path) -> None:
    """A record waits for a worker that is held down: `stream:lag` fires (here after 5 s); it starts again: the alert is over."""
    stack.stop("notifier")
    stack.start("notifier", CX_OBJECTIVES=str(impatient(tmp_path)))
    before = told(stack)

    stack.stop("worker")
    write(stack, "waits")
    wait_until(lambda: told(stack) == [*before, "firing"], 90, "the lag alert")
    stack.start("worker")
    wait_until(lambda: told(stack) == [*before, "firing", "ok"], 90, "the end of the lag alert")
    stack.stop("notifier")
    stack.start("notifier")


def test_lag_in_an_outage_of_the_warehouse_is_told_when_it_is_back_and_ends(stack: RunningStack, tmp_path: Path) -> None:
    """F12: worker and notifier are cut off from the warehouse; when it is back the lag is told, then that it is over."""
    port = stack.layout.postgres_port
    with Proxy(port) as proxy:

        def through(role: str) -> str:
            return stack.layout.role_url(role).replace(f":{port}/", f":{proxy.port}/")

        for part in ("worker", "notifier"):
            stack.stop(part)
        stack.start("worker", CX_WAREHOUSE_URL=through("cx_worker"))
        stack.start("notifier", CX_WAREHOUSE_URL=through("cx_notifier"), CX_OBJECTIVES=str(impatient(tmp_path)))
        write(stack, "before")
        wait_until(lambda: landed(stack, "before"), what="the stream running through the proxy")
        before = cut_when_calm(stack, proxy)
        write(stack, "meanwhile")
        wait_until(lambda: proxy.refused >= 15, 120, "fifteen attempts, of the worker and of a notifier that looks every 2 s")
        assert told(stack) == before
        proxy.restore()
        wait_until(lambda: told(stack) == [*before, "firing", "ok"], 90, "the lag alert and its end")
        assert landed(stack, "meanwhile")
        for part in ("worker", "notifier"):
            stack.stop(part)
    for part in ("worker", "notifier"):
        stack.start(part)


def cut_when_calm(stack: RunningStack, proxy: Proxy) -> list[str]:
    """Cut the warehouse off while no lag is told; return what was told before. Nothing more can be, until it is restored."""
    while True:
        wait_until(lambda: told(stack)[-1:] != ["firing"], 90, "the end of the lag of this restart")
        proxy.cut()
        before = told(stack)
        if before[-1:] != ["firing"]:
            return before
        proxy.restore()


def impatient(directory: Path) -> Path:
    """Objectives with a lag of at most 5 s, measured every 2 s."""
    promises = yaml.safe_load(DEFAULT_FILE.read_text())
    promises["sample_every"] = "2s"
    promises["objectives"] = [{**one, "target": 5} for one in promises["objectives"] if one["name"] == "consumer_lag"]
    file = directory / "objectives.yml"
    file.write_text(yaml.safe_dump(promises))
    return file


def told(stack: RunningStack) -> list[str]:
    """States of every lag alert so far."""
    return [state for (state,) in query(stack.warehouse_url, TOLD)]


def write(stack: RunningStack, ticket: str) -> None:
    """Write a ticket into the store."""
    with psycopg.connect(stack.store_url) as store:
        store.execute(UPSERT, bound(signal(ticket)))


def landed(stack: RunningStack, ticket: str) -> list[tuple[Any, ...]]:
    """The ticket's row in the warehouse, if it is there."""
    return query(stack.warehouse_url, "select 1 from landing.ticket_signals where ticket_id = %s", [ticket])


def query(url: str, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with psycopg.connect(url) as connection:
        return connection.execute(statement, parameters).fetchall()
