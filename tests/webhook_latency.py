"""How long a change takes from its commit in the store to a webhook subscriber: `python -m tests.webhook_latency --rate 200`.

A stack of its own, `cx simulate` as the writer, a subscriber that verifies every signature. One figure per message: its arrival
by this machine's clock, less the commit of its version in the store.
"""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles

import psycopg

from tests.conftest import wait_until
from tests.fakes import subscriber
from tests.fakes.subscriber import Subscriber
from tests.latency import simulate
from tests.stack_fixture import RunningStack, running_stack, tmp_directory

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FILE = """\
subscriptions:
  measured:
    url: {address}
    projection: signals
    secrets: [{{file: {secret}}}]
    allow_networks: [127.0.0.0/8]
    concurrency: 32
"""
COMMITTED = """
select idempotency_key, extract(epoch from store_committed_at)::float, extract(epoch from landed_at)::float
from landing.ticket_signal_versions
where store_committed_at is not null
"""
IS_TOLD = """
select
    not exists (select from ops.webhook_deliveries where state = 'waiting')
    and not exists (
        select from landing.ticket_signals as latest
        where latest.landed_at > %(since)s and not exists (
            select from ops.webhook_deliveries as told where told.idempotency_key = latest.idempotency_key
        )
    )
"""


@dataclass(frozen=True)
class Measured:
    """Seconds per message: from the store's commit to the subscriber, and of that from landing on."""

    total: list[float]
    after_landing: list[float]
    forged: int

    @property
    def p99(self) -> float:
        return quantiles(self.total, n=100)[98]

    def __str__(self) -> str:
        spread = quantiles(self.total, n=100)
        return (
            f"{len(self.total)} messages: store commit to subscriber p50 {spread[49]:.2f} s, p95 {spread[94]:.2f} s,"
            f" p99 {spread[98]:.2f} s, max {max(self.total):.2f} s; landed to subscriber p50 {median(self.after_landing):.2f} s;"
            f" load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        )


@contextmanager
def subscriptions_file(directory: Path, hook: Subscriber) -> Iterator[Path]:
    """A file with one subscription of everything, for a subscriber on this machine."""
    secret, file = directory / "webhook-secret", directory / "webhooks.yml"
    secret.write_text(SECRET)
    file.write_text(FILE.format(address=hook.address, secret=secret))
    yield file


def measure(stack: RunningStack, hook: Subscriber, rate: float, seconds: float, since: datetime = LONG_AGO) -> Measured:
    """Write for so long at this rate, wait until everything is told, and tell how long each message took.

    Args:
        since: when the subscription became known; what landed before is not told.
    """
    with psycopg.connect(stack.warehouse_url, autocommit=True) as warehouse:
        simulate(stack.environment, rate, seconds)
        wait_until(lambda: warehouse.execute(IS_TOLD, {"since": since}).fetchone() == (True,), 120, "everything being told")
        committed = {key: times for key, *times in warehouse.execute(COMMITTED).fetchall()}
    arrived: dict[str, float] = {}
    for taken in hook.taken:
        arrived.setdefault(str(taken.body["data"].get("idempotency_key")), taken.at)
    known = {key: at for key, at in arrived.items() if key in committed}
    return Measured(
        [at - committed[key][0] for key, at in known.items()], [at - committed[key][1] for key, at in known.items()], hook.forged
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Store commit to webhook subscriber, on a stack of its own.")
    parser.add_argument("--rate", type=float, default=200, help="events per second")
    parser.add_argument("--for", dest="seconds", type=float, default=30, help="seconds")
    choices = parser.parse_args()
    with tmp_directory() as directory, subscriber.running(SECRET) as hook, subscriptions_file(directory, hook) as file:
        os.environ["CX_WEBHOOKS"] = str(file)
        with running_stack(directory, without=("publisher", "notifier")) as own:
            with psycopg.connect(own.warehouse_url, autocommit=True) as warehouse:
                known = "select count(*) from ops.webhook_positions"
                wait_until(lambda: warehouse.execute(known).fetchone() == (12,), 60, "webhooks being ready")
            print(measure(own, hook, choices.rate, choices.seconds))  # noqa: T201
