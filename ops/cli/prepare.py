"""`cx prepare`: make a store, a warehouse, Kafka and Connect that already run ready for the pipeline."""

import click

from ops import migrate, settings


@click.command()
@click.option("--replication", default=1, show_default=True, help="Replication factor of topics that are made.")
@click.option("--skip-store", is_flag=True, help="Leave the store's tables, publication and role as they are.")
def prepare(replication: int, skip_store: bool) -> None:
    """Migrate both databases, give the roles their rights, make the topics, register the connector.

    Reads the addresses from CX_STORE_URL, CX_WAREHOUSE_URL, CX_KAFKA_BOOTSTRAP and CX_CONNECT_URL, the passwords
    from CX_CDC_PASSWORD and CX_BI_PASSWORD. Running it again changes nothing. `cx up` does the same for the embedded parts.
    """
    from connectors import register
    from ops.stack import roles, topics

    chosen = settings.load().require("warehouse_url", "bi_password", "kafka_bootstrap", "connect_url")
    if not skip_store:
        chosen.require("store_url", "cdc_password")
        migrate.upgrade(chosen.store_url, migrate.STORE_MIGRATIONS)
        roles.ensure_capture(chosen.store_url, chosen.cdc_password)
        click.echo("store: tables, publication cx_enrichment and role cx_capture are there")
    migrate.upgrade(chosen.warehouse_url, migrate.WAREHOUSE_MIGRATIONS)
    roles.ensure_reader(chosen.warehouse_url, chosen.bi_password)
    click.echo("warehouse: schemas landing, ops and marts and role bi_reader are there")
    try:
        topics.ensure(chosen.kafka_bootstrap, replication=replication)
        click.echo("kafka: topics are there")
        register.register(chosen.connect_url, register.load_configuration())
        register.wait_until_running(chosen.connect_url)
        click.echo("connect: connector runs")
    except (topics.TopicError, register.RegistrationError) as error:
        raise settings.SettingsError(str(error)) from error
