"""`cx worker`: the stream worker, in the foreground. Run more of them to share the partitions."""

import click

from ops import settings as settings_module

TOPICS = ("cx.enrichment.ticket_signals", "cx.enrichment.tag_taxonomy", "cx.enrichment.accounts")


@click.command()
@click.option("--instance", default=None, help="Static group membership: a restarted worker of this name gets its partitions back.")
def worker(instance: str | None) -> None:
    """Read the captured tables' topics and land them in the warehouse until stopped."""
    from stream.worker import WorkerSettings, run

    settings = settings_module.load().require("kafka_bootstrap", "warehouse_url")
    run(
        WorkerSettings(
            bootstrap=settings.kafka_bootstrap,
            warehouse_url=settings.warehouse_url,
            group=settings.consumer_group,
            topics=TOPICS,
            run_directory=settings.run_directory,
            metrics_port=int(settings.worker_metrics_port),
            instance=instance,
        )
    )
