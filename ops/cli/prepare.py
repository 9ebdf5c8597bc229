"""`cx prepare`: make a store, a warehouse, Kafka and Connect that already run ready for the pipeline."""

import asyncio
import sys

import click

from ops import migrate, settings
from ops.cli import BAD_DATA


@click.command()
@click.option("--replication", default=1, show_default=True, help="Replication factor of topics that are made.")
@click.option("--skip-store", is_flag=True, help="Leave the store's tables, publication and role as they are.")
@click.option("--print-sql", is_flag=True, help="Print what the store's owner has to run, and do nothing.")
@click.option("--print-connect", is_flag=True, help="Print what Kafka Connect's worker properties need, and do nothing.")
@click.option("--before-connect", is_flag=True, help="Exit with 1 when Connect must not start: changes would be skipped.")
def prepare(*, replication: int, skip_store: bool, print_sql: bool, print_connect: bool, before_connect: bool) -> None:
    """Migrate both databases, give the roles their rights, make the topics, register the connector.

    Reads the addresses from CX_STORE_URL, CX_WAREHOUSE_URL, CX_KAFKA_BOOTSTRAP and CX_CONNECT_URL, the passwords
    from CX_CDC_PASSWORD and CX_BI_PASSWORD. Running it again changes nothing. `cx up` does the same for the embedded parts.
    CX_STORE_MAPPING names the tables of a store that is not ours: it gets a role, a publication and schema enrichment only.
    """
    from connectors import register
    from ops import kafka_access, own_store, prepare_store
    from ops.stack import kafka, roles, topics

    if print_sql:
        click.echo(prepare_store.sql(own_store.chosen(settings.load())))
        return
    if print_connect:
        lines = kafka.connect_security(kafka_access.chosen(settings.load().require("kafka_bootstrap")))
        click.echo("".join(f"{name}={value}\n" for name, value in lines.items()) + kafka.CONNECT_SECRETS, nl=False)
        return
    if before_connect:
        _refuse_gap(settings.load().require("store_url", "kafka_bootstrap"))
        return
    chosen = settings.load().require("warehouse_url", "bi_password", "kafka_bootstrap", "connect_url")
    if not skip_store:
        chosen.require("store_url", "cdc_password")
        prepare_store.prepare(chosen)
        click.echo("store: tables, publication cx_enrichment and role cx_capture are there")
    migrate.upgrade(chosen.warehouse_url, migrate.WAREHOUSE_MIGRATIONS)
    roles.ensure_reader(chosen.warehouse_url, chosen.bi_password)
    _make_roles(chosen)
    click.echo("warehouse: schemas landing, ops and marts and role bi_reader are there")
    try:
        topics.ensure(kafka_access.chosen(chosen), replication=replication)
        click.echo("kafka: topics are there")
        register.register(chosen.connect_url, prepare_store.connector(own_store.chosen(chosen)))
        register.wait_until_running(chosen.connect_url)
        click.echo("connect: connector runs")
    except (topics.TopicError, register.RegistrationError) as error:
        raise settings.SettingsError(str(error)) from error


def _refuse_gap(chosen: settings.Settings) -> None:
    """End with a sentence when the capture must not go on where it stopped."""
    from aiokafka.errors import KafkaError

    from connectors import resume
    from ops import kafka_access
    from stream.kafka import refusal

    access = kafka_access.chosen(chosen)
    if refused := asyncio.run(refusal(access)):
        raise settings.SettingsError(refused)
    try:
        resume.refuse_gap(chosen.store_url, access.client)
    except resume.SkippedChangesError as error:
        click.echo(f"The {error} (README, Lost slot).", err=True)
        sys.exit(BAD_DATA)
    except KafkaError as error:
        raise settings.SettingsError(f"Kafka at {access}: {error}") from error


def _make_roles(chosen: settings.Settings) -> None:
    """Make the roles whose addresses are set, all or none: without them every process connects as the owner."""
    from urllib.parse import unquote, urlsplit

    from ops.stack import roles

    urls = (chosen.worker_url, chosen.builder_url, chosen.publisher_url, chosen.notifier_url, chosen.outbound_url)
    addresses = dict(zip(roles.WAREHOUSE_ROLES, urls, strict=True))
    if not any(addresses.values()):
        click.echo("warehouse: CX_WORKER_URL and the like are not set: every process connects as the owner")
        return
    wrong = [role for role, address in addresses.items() if urlsplit(address).username != role or not urlsplit(address).password]
    if wrong:
        raise settings.SettingsError(f"no address, user or password for {', '.join(wrong)}: see CX_WORKER_URL in .env.example")
    roles.ensure_workers(
        chosen.warehouse_url, {role: unquote(urlsplit(address).password or "") for role, address in addresses.items()}
    )
    click.echo("warehouse: roles cx_worker, cx_builder, cx_publisher, cx_notifier and cx_outbound are there")
