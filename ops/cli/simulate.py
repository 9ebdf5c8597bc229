"""`cx simulate`: enrichment traffic into the store."""

import json
import signal
import sys
import threading
import time
from random import Random, SystemRandom
from types import FrameType
from typing import TYPE_CHECKING

import click

from ops import settings
from ops.cli import COULD_NOT_RUN

if TYPE_CHECKING:
    from connectors.simulation.run import Tally


@click.command()
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), default=20.0, show_default=True, help="Events per second.")
@click.option("--for", "seconds", type=click.FloatRange(min=0, min_open=True), default=30.0, show_default=True, help="Seconds.")
@click.option("--seed", type=int, help="Repeat the choices of an earlier run.  [default: another on every run]")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def simulate(rate: float, seconds: float, seed: int | None, as_json: bool) -> None:
    """Write into the enrichment store as an enrichment product does, misbehaviour included.

    New tickets, re-enrichments, duplicates, older versions written late, reused keys, broken values, deletes, re-creations,
    edits of tags and accounts. Ctrl-C stops it and prints the counts so far.
    """
    from connectors.simulation import run
    from connectors.simulation.world import World
    from connectors.simulation.writer import StoreUnavailable, Writer

    seed = SystemRandom().randrange(2**32) if seed is None else seed
    store_url = settings.load().require("store_url").store_url
    world = World(Random(seed), run=f"sim{time.time_ns() // 1_000_000:x}")  # noqa: S311 - made-up data
    stopped = _stopped_by_signals()
    try:
        writer = Writer(store_url)
        try:
            tally = run.simulate(world, writer, rate, seconds, stop=stopped.is_set)
        finally:
            writer.close()
    except StoreUnavailable as error:
        click.echo(f"cx simulate: the enrichment store (CX_STORE_URL): {error}", err=True)
        sys.exit(COULD_NOT_RUN)
    _show(tally, seed, as_json)


def _stopped_by_signals() -> threading.Event:
    """Set by Ctrl-C or SIGTERM: the batch in hand is finished first."""
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return stopped


def _show(tally: "Tally", seed: int, as_json: bool) -> None:
    if as_json:
        counts = {"seed": seed, "events": tally.total, "seconds": round(tally.seconds, 3), "rate": round(tally.rate, 1)}
        click.echo(json.dumps({**counts, "by_kind": dict(sorted(tally.by_kind.items()))}))
        return
    for kind, count in tally.by_kind.most_common():
        click.echo(f"{count:>9,}  {kind.replace('_', ' ')}")
    click.echo(f"{tally.total:>9,}  events in {tally.seconds:.1f} s: {tally.rate:,.1f} per second (seed {seed})")
