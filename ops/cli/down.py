"""`cx down`: stop the embedded stack, leave no process."""

from pathlib import Path

import click

from ops import settings
from ops.dashboards import server as dashboards
from ops.stack import detached


@click.command()
def down() -> None:
    """Stop every part in reverse order, batches in flight included. The data stays."""
    run_directory = Path(settings.load().run_directory).resolve()
    had_dashboards = dashboards.stop(run_directory)
    was_up = detached.is_supervised(run_directory)
    leftovers = detached.stop(run_directory)
    if leftovers:
        click.echo(f"ended {leftovers} processes that a killed supervisor had left behind")
    click.echo("stopped" if was_up or leftovers or had_dashboards else "nothing was running")
