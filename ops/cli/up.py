"""`cx up`: start the embedded stack and keep it up."""

import sys
from pathlib import Path

import click

from ops import settings
from ops.stack import detached, layout, postgres


@click.command()
@click.option("--detach", is_flag=True, help="Return when everything is up; the supervisor goes on in the background.")
@click.option("--without", multiple=True, metavar="PART", help="Leave a part out, e.g. worker. May be repeated.")
def up(detach: bool, without: tuple[str, ...]) -> None:
    """Start PostgreSQL, Kafka, Kafka Connect with the connector, the worker, the publisher and the notifier."""
    run_directory = Path(settings.load().run_directory).resolve()
    try:
        if detach:
            bring_up(run_directory, without)
        else:
            _stay(run_directory, without)
    except (layout.StackError, postgres.PostgresMissing) as error:
        click.echo(f"cx up: {error}", err=True)
        sys.exit(2)


def bring_up(run_directory: Path, without: tuple[str, ...] = ()) -> None:
    """Start a supervisor in the background unless one runs, and return when every part is up.

    Raises StackError, with nothing left running, when a part will not come up.
    """
    if detached.is_supervised(run_directory):
        click.echo("already up: goes on")
        detached.wait_until_up(run_directory, say=lambda text: None)
        return
    detached.start(run_directory, without)
    try:
        detached.wait_until_up(run_directory, say=click.echo)
    except BaseException:
        detached.stop(run_directory)
        raise


def _stay(run_directory: Path, without: tuple[str, ...]) -> None:
    if detached.is_supervised(run_directory):
        click.echo("already up: `cx status` shows it, `cx down` stops it")
        return
    from ops.stack import __main__ as foreground

    layout.prepare(run_directory)
    foreground.run(run_directory, without)
