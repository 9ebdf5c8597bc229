"""How long a row takes from its commit in the store to the marts: `python -m tests.latency --rate 20 --for 30`.

`cx simulate` writes into a running system while a reader watches `marts.publications` as role bi_reader, by this machine's
clock. One figure per version: the moment it was first to be seen, less its commit in the store. Store and reader must share
a clock.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import psycopg

from ops.settings import Settings, load
from tests.conftest import wait_until

LOOK_EVERY_SECONDS = 0.05
VERSIONS = """
with since as (
    select landed_xid, store_committed_at, captured_at, landed_at
    from landing.ticket_signal_versions
    where store_committed_at >= %s
)
select
    extract(epoch from since.store_committed_at)::float,
    extract(epoch from since.captured_at - since.store_committed_at)::float,
    extract(epoch from since.landed_at - since.captured_at)::float,
    extract(epoch from since.landed_at)::float,
    first_with_it.id
from since
cross join lateral (
    select publications.id from marts.publications
    where pg_visible_in_snapshot(since.landed_xid, publications.to_snapshot)
    order by publications.id
    limit 1
) as first_with_it
"""
IS_PUBLISHED = """
select 1
from landing.accounts
inner join marts.publications on pg_visible_in_snapshot(accounts.landed_xid, publications.to_snapshot)
where accounts.account_id = %s
limit 1
"""


@dataclass(frozen=True)
class Measured:
    """Seconds per version, in all and by hop; publications in that time; load averages of one minute before and after."""

    total: list[float]
    capture: list[float]
    landing: list[float]
    publishing: list[float]
    publications: int
    loads: tuple[float, float]

    @property
    def p95(self) -> float:
        return quantiles(self.total, n=100)[94]

    def __str__(self) -> str:
        spread = quantiles(self.total, n=100)
        hops = ", ".join(f"{name} {median(getattr(self, name)):.2f}" for name in ("capture", "landing", "publishing"))
        return (
            f"{len(self.total)} versions in {self.publications} publications: store commit to marts p50 {spread[49]:.1f} s,"
            f" p95 {spread[94]:.1f} s, p99 {spread[98]:.1f} s, max {max(self.total):.1f} s; medians: {hops};"
            f" load average {self.loads[0]:.1f} to {self.loads[1]:.1f} on {os.cpu_count()} cores"
        )


def measure(settings: Settings, environment: Mapping[str, str], rate: float, seconds: float) -> Measured:
    """Write for so long at this rate (events per second), wait until all is published, tell how long each version took."""
    wait_until_published(settings, mark(settings), 300)  # the publisher is warm and has nothing left to do
    load_before = os.getloadavg()[0]
    with psycopg.connect(settings.store_url) as store:
        [begun] = store.execute("select date_trunc('milliseconds', clock_timestamp())").fetchone() or [None]
    with watching(settings.bi_url) as seen:
        simulate(environment, rate, seconds)
        wait_until_published(settings, mark(settings), 300)
        with psycopg.connect(settings.warehouse_url) as warehouse:
            rows = warehouse.execute(VERSIONS, [begun]).fetchall()
        wait_until(lambda: all(row[4] in seen for row in rows), 10, "the reader having seen every publication")
    return Measured(
        total=[seen[publication] - committed for committed, *_, publication in rows],
        capture=[row[1] for row in rows],
        landing=[row[2] for row in rows],
        publishing=[seen[publication] - landed for *_, landed, publication in rows],
        publications=len({row[4] for row in rows}),
        loads=(load_before, os.getloadavg()[0]),
    )


@contextmanager
def watching(bi_url: str) -> Iterator[dict[int, float]]:
    """The moment at which a reader of the marts first saw each publication, filled in while the context lasts."""
    seen: dict[int, float] = {}
    over = threading.Event()

    def look() -> None:
        with psycopg.connect(bi_url, autocommit=True) as reader:
            newest = reader.execute("select coalesce(max(id), 0) from marts.publications").fetchone()
            while not over.wait(LOOK_EVERY_SECONDS):
                fresh = reader.execute("select id from marts.publications where id > %s order by id", newest).fetchall()
                seen.update(dict.fromkeys((row[0] for row in fresh), time.time()))
                newest = fresh[-1] if fresh else newest

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def simulate(environment: Mapping[str, str], rate: float, seconds: float) -> None:
    command = [
        Path(sys.executable).parent / "cx",
        "simulate",
        "--rate",
        str(rate),
        "--for",
        str(seconds),
        "--seed",
        "4",
        "--json",
    ]
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["events"] > 0


def mark(settings: Settings) -> str:
    """Write an account whose publication proves that of everything committed before it."""
    name = f"mark-{secrets.token_hex(4)}"
    with psycopg.connect(settings.store_url) as store:
        store.execute("insert into enrichment.accounts (account_id) values (%s)", [name])
    return name


def wait_until_published(settings: Settings, account: str, seconds: float) -> None:
    with psycopg.connect(settings.warehouse_url, autocommit=True) as warehouse:
        wait_until(lambda: warehouse.execute(IS_PUBLISHED, [account]).fetchone(), seconds, f"{account} being published")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Store commit to marts, measured on the running system (`cx up`).")
    parser.add_argument("--rate", type=float, default=20, help="events per second")
    parser.add_argument("--for", dest="seconds", type=float, default=30, help="seconds")
    choices = parser.parse_args()
    print(measure(load(), os.environ, choices.rate, choices.seconds))  # noqa: T201
