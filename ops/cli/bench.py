"""`cx bench`: how fast this is, measured beside what a user would take instead."""

import signal
import sys
import time
from pathlib import Path

import click

from ops.cli import COULD_NOT_RUN, GOOD

NAMES = ("landing", "latency", "outbound", "snapshot", "start", "scale", "tuning", "growth")
NOT_QUICK = "tuning"


@click.command()
@click.argument("scenarios", nargs=-1, type=click.Choice(NAMES), metavar="[SCENARIO]...")
@click.option("--quick", is_flag=True, help="Small sizes: any scenario in under three minutes. The numbers are rougher.")
@click.option("--part", type=click.FloatRange(0.01, 1), default=1.0, help="Only this part of the sizes, e.g. 0.2.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Directory of the results (default: .run/bench/results)."
)
def bench(scenarios: tuple[str, ...], quick: bool, part: float, out: Path | None) -> None:
    """Measure landing, latency, outbound, snapshot, growth, start, scale and tuning, each on a stack of its own.

    The running stack is not touched, but it takes its share of the machine: stop it first. Writes results.json, results.md
    and plots. Exit code 0: everything was measured; 2: something could not be, and the results say what and why.
    """
    from ops.bench import run, sizes
    from ops.settings import PROJECT_DIRECTORY
    from ops.stack import postgres

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends the bench ends its stacks
    began = time.monotonic()
    words = ["cx", "bench", *scenarios, *(["--quick"] if quick else []), *([f"--part {part:g}"] if part < 1 else [])]
    names = scenarios or tuple(name for name in NAMES if not (quick and name == NOT_QUICK))
    directory = out or PROJECT_DIRECTORY / ".run" / "bench" / "results"
    chosen = (sizes.QUICK if quick else sizes.FULL).times(part)

    def say(text: str) -> None:
        click.echo(f"{time.monotonic() - began:6.0f} s  {text}")

    try:
        results = run.run(names, chosen, say, " ".join(words), lambda found: run.write(found, directory))
    except postgres.PostgresMissing as error:
        click.echo(f"cx bench: {error}", err=True)
        sys.exit(COULD_NOT_RUN)
    click.echo("\n" + results.markdown())
    click.echo(f"The results are in {directory}.")
    sys.exit(COULD_NOT_RUN if results.skipped else GOOD)
