"""`cx worker`: the stream worker, in the foreground. Run more of them to share the partitions."""

import logging
import os
import sys

import click

from ops import settings as settings_module

TOPICS = ("cx.enrichment.ticket_signals", "cx.enrichment.tag_taxonomy", "cx.enrichment.accounts")


@click.command()
@click.option("--instance", help="Static group membership: a restarted worker of this name gets its partitions back at once.")
@click.option("--let-through", is_flag=True, help="Dead-letter a flood of rejected records instead of stopping.")
def worker(instance: str | None, let_through: bool) -> None:
    """Land the captured tables' changes in the warehouse until stopped.

    Exit code 0 after SIGTERM, 1 when it had to stop: a flood of rejected records, a drift for which the policy says
    stop, a consumer that hangs; 2 when Kafka or the warehouse refuses it, so that no retry helps.
    """
    from ops import kafka_access, own_store
    from stream.worker import WorkerSettings, run

    settings = settings_module.load().require("kafka_bootstrap", "warehouse_url")
    mapping = own_store.chosen(settings)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for chatty in ("aiokafka", "faust", "mode"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    code = run(
        WorkerSettings(
            kafka=kafka_access.chosen(settings),
            warehouse_url=settings.worker_url or settings.warehouse_url,
            group=settings.consumer_group,
            topics=TOPICS,
            run_directory=settings.run_directory,
            store_url=settings.store_url,
            metrics_port=int(settings.worker_metrics_port),
            metrics_bind=settings.metrics_bind,
            instance=instance,
            mapping=mapping,
            let_through=let_through,
            failpoint=settings.failpoint,
            patience_seconds=float(settings.worker_patience_seconds),
        )
    )
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)  # a thread that still waits for a dead connection must not keep the process
