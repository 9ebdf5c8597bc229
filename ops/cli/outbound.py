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

    Exit code 0 after SIGTERM, 1 when a service failed, 2 when Kafka refuses it.
    """
    if context.invoked_subcommand:
        return
    from prometheus_client import CollectorRegistry, ProcessCollector

    from ops import kafka_access
    from ops.outbound.serve import serve
    from ops.outbound.services import services
    from stream.kafka import refusal

    known = settings.load().require("warehouse_url", "kafka_bootstrap")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the services say themselves what they wait for
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if refused := asyncio.run(refusal(kafka_access.chosen(known))):
        raise settings.SettingsError(refused)
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
@click.option("--retry", is_flag=True, help="Send the refused ones again.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def crm(retry: bool, as_json: bool) -> None:
    """List the accounts whose flags the CRM refuses, and why. Exit code 1 when there are any."""
    import json

    from ops.outbound import listing

    known = settings.load().require("warehouse_url")
    refused = listing.refused(known.warehouse_url, retry)
    if as_json:
        click.echo(json.dumps(refused, indent=2, default=str))
    else:
        lines = [f"{one['account_id']:<24}{one['changed_at']:%Y-%m-%d %H:%M} {one['last_error']}" for one in refused]
        click.echo("\n".join(lines) if lines else "The CRM refuses nothing.")
        if retry and refused:
            click.echo("They are sent again.")
    sys.exit(BAD_DATA if refused and not retry else 0)


@outbound.command()
@click.option("--yes", is_flag=True, help="Do it.")
def refill(yes: bool) -> None:
    """Have the topics told the present state of every ticket again, say after they were made anew."""
    from ops.outbound import listing

    known = settings.load().require("warehouse_url")
    if not yes:
        click.echo("cx outbound refill: one record per ticket goes to every topic; say --yes to do it", err=True)
        sys.exit(COULD_NOT_RUN)
    click.echo(f"{listing.refill(known.warehouse_url):,} tickets are told again, by and by.")


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
