"""`cx dashboards`: Apache Superset on the marts, beside the running stack."""

import sys
from pathlib import Path

import click

from ops import settings
from ops.cli import COULD_NOT_RUN


@click.group()
def dashboards() -> None:
    """Show the marts in Apache Superset: start, stop, write the assets back into the project."""


@dashboards.command()
def start() -> None:
    """Install Superset in an environment of its own, import the dashboards, start it and print where it is."""
    from ops.dashboards import install, place, server

    chosen = settings.load().require("bi_url")
    run_directory = Path(chosen.run_directory).resolve()
    try:
        server.require_marts(chosen.bi_url)
        install.install(click.echo)
        here = place.prepare(run_directory)
        server.start(here, chosen.bi_url, click.echo)
    except install.DashboardsError as error:
        click.echo(f"cx dashboards: {error}", err=True)
        sys.exit(COULD_NOT_RUN)
    for slug in place.SLUGS:
        click.echo(here.address(slug))
    click.echo(f"log in as {place.VIEWER}, password {here.viewer_password}: reads everything, changes nothing; stop: make down")
    click.echo(f"{place.ADMINISTRATOR}, who may edit, has the other password in {here.directory / 'login.env'}")


@dashboards.command()
def stop() -> None:
    """Stop Superset; the pipeline does not notice."""
    from ops.dashboards import server

    was_up = server.stop(Path(settings.load().run_directory).resolve())
    click.echo("stopped" if was_up else "nothing was running")


@dashboards.command()
@click.option("--into", type=click.Path(path_type=Path), help="A folder to write to; default: dbt_project/dashboards.")
def export(into: Path | None) -> None:
    """Write what was changed in the browser back into the project, as Superset's YAML: the same state, the same bytes."""
    from ops.dashboards import install, place, server

    chosen = settings.load().require("bi_url")
    target = (into or place.ASSETS).resolve()
    try:
        server.run_program(place.prepare(Path(chosen.run_directory).resolve()), chosen.bi_url, "superset_export.py", str(target))
    except install.DashboardsError as error:
        click.echo(f"cx dashboards: {error}", err=True)
        sys.exit(COULD_NOT_RUN)
    click.echo(f"written to {target}")
