"""`cx outbound`: the process that carries signals to the systems of action, and what a person may ask of it."""

import asyncio
import logging
import sys

import click

from ops import settings
from ops.cli import BAD_DATA, COULD_NOT_RUN


@click.group(invoke_without_command=True)
@click.pass_context
def outbound(context: click.Context) -> None:
    """Carry every applied change to cx.signals.* and on to the CRM, until stopped.

    Exit code 0 after SIGTERM, 1 when a service failed.
    """
    if context.invoked_subcommand:
        return
    from prometheus_client import CollectorRegistry, ProcessCollector

    from ops.outbound.serve import serve
    from ops.outbound.services import services

    known = settings.load().require("warehouse_url", "kafka_bootstrap")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the services say themselves what they wait for
    logging.getLogger("httpx").setLevel(logging.WARNING)
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    port = int(known.outbound_metrics_port)
    try:
        is_good = asyncio.run(serve(services(known, registry), registry, known.metrics_bind, port))
    except OSError as error:
        click.echo(f"cx outbound: cannot listen on {known.metrics_bind}:{port}: {error.strerror or error}", err=True)
        sys.exit(COULD_NOT_RUN)
    sys.exit(0 if is_good else BAD_DATA)


@outbound.command()
@click.option("--write", is_flag=True, help="Write the JSON Schemas and the AsyncAPI document; publish new versions.")
def contract(write: bool) -> None:
    """Check that the published contract is current and breaks no consumer. Exit code 1 when not."""
    from ops.outbound import contract as made

    if write:
        for path in made.write():
            click.echo(f"written: {path.relative_to(settings.PROJECT_DIRECTORY)}")
    problems = made.problems()
    click.echo("\n".join(problems) if problems else "the contract is current and breaks nothing published")
    sys.exit(BAD_DATA if problems else 0)
