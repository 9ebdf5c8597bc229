"""Systems of action: from a commit in the store to a webhook subscriber, who verifies each message and notes when it came.

The commit's time is PostgreSQL's own (`track_commit_timestamp`), the arrival's the subscriber's: one machine, one clock.
Every written ticket must have arrived in its newest version, or the scenario counts as not measured.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ops.bench import cost, latency
from ops.bench.figures import Figure, Say, figures, percentiles
from ops.bench.sizes import Sizes
from ops.bench.stand import Skipped, Stand, standing

NAME = "outbound"
GOALS = {200: {"p99 ms": "< 1,000", "missing": "0"}}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - of a subscriber that lives as long as the measurement
PATIENCE_SECONDS = 120.0
SUBSCRIPTION = """\
subscriptions:
  bench:
    url: http://127.0.0.1:{port}/hooks
    projection: signals
    secrets: [{{file: {secret}}}]
    allow_networks: [127.0.0.0/8]
    concurrency: 32
"""
IS_KNOWN = "select 1 from ops.webhook_subscriptions where subscription = 'bench' and exists (select from ops.webhook_positions)"
PARTS = ("outbound", "postgres", "kafka", "connect", "worker")


@dataclass(frozen=True)
class Arrival:
    """One request to the subscriber. `at`: seconds since 1970."""

    ticket_id: str
    version: int
    at: float
    is_genuine: bool


def run(sizes: Sizes, say: Say) -> Iterator[Figure]:
    """Each rate up to 200 events/s in turn, every event a new ticket."""
    with standing("postgres", "kafka", "connect", "worker") as stand, subscriber(stand) as arrivals_file:
        stand.wait_until(lambda: _is_known(stand), PATIENCE_SECONDS, "the subscription being known")
        _measure(stand, arrivals_file, 50, 5)  # warm
        for rate in (one for one in sizes.latency_rates if one <= max(GOALS)):
            values = _measure(stand, arrivals_file, rate, sizes.latency_seconds)
            yield from figures(NAME, f"{rate}/s, webhook", values, GOALS.get(rate))
            say(f"{rate} events/s: {', '.join(f'{name} {value:,.4g}' for name, value in values.items())}")


@contextmanager
def subscriber(stand: Stand) -> Iterator[Path]:
    """A subscriber in a process of its own and the outbound part that tells it; the file of what arrives."""
    directory = stand.stack.run_directory
    arrivals_file, secret, file = directory / "arrivals.jsonl", directory / "webhook-secret", directory / "webhooks.yml"
    command = [sys.executable, "-m", "ops.bench.subscriber", str(arrivals_file), SECRET]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = (process.stdout.readline() if process.stdout else "").strip()
            if not port:
                raise Skipped("the subscriber did not start; try `python -m ops.bench.subscriber` by hand")
            secret.write_text(SECRET)
            file.write_text(SUBSCRIPTION.format(port=port, secret=secret))
            stand.start_with("outbound", CX_WEBHOOKS=str(file))
            yield arrivals_file
        finally:
            process.kill()


def _measure(stand: Stand, arrivals_file: Path, rate: float, seconds: float) -> dict[str, float]:
    """Write, wait until every ticket arrived, and tell how long each took and what an event cost."""
    source, meter = f"hook-{rate}", cost.Meter(stand.pids(*PARTS))
    before = len(arrivals(arrivals_file))
    written = latency.write(stand, source, rate, seconds)
    with stand.store() as store:
        committed = dict(store.execute(latency.COMMITTED, [source]).fetchall())
    stand.wait_until(lambda: len(arrivals(arrivals_file)) >= before + written, PATIENCE_SECONDS, "every message arriving")
    used, arrived = meter.read(), arrivals(arrivals_file)[before:]
    first = {one.ticket_id: one.at for one in reversed(arrived)}
    missing = committed.keys() - first.keys()
    if missing or not all(one.is_genuine for one in arrived):
        raise Skipped(f"of {written} tickets {len(missing)} did not arrive, {sum(not one.is_genuine for one in arrived)} forged")
    return {
        "events": float(written),
        **percentiles([first[ticket] - at for ticket, at in committed.items()], "ms"),
        "missing": float(len(missing)),
        "repeated": float(len(arrived) - len(first)),
        "outbound CPU ms/event": used["outbound"] / written * 1000,
        "all CPU ms/event": sum(used.values()) / written * 1000,
    }


def arrivals(file: Path) -> list[Arrival]:
    """What arrived so far, in its order."""
    lines = file.read_bytes().splitlines() if file.exists() else []
    return [Arrival(*msgspec.json.decode(line)) for line in lines]


def _is_known(stand: Stand) -> bool:
    with stand.warehouse() as warehouse:
        return warehouse.execute(IS_KNOWN).fetchone() is not None
