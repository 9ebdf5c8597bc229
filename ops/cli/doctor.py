"""`cx doctor`: is everything the pipeline stands on as it must be?"""

import json
import logging
import sys
from dataclasses import asdict

import click

from ops.cli import BAD_DATA, GOOD


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def doctor(as_json: bool) -> None:
    """Check store, Kafka, Connect and warehouse, before and while the pipeline runs; change nothing.

    Each line is good, or says what was found and the command that mends it. Exit code 0: all good; 1: something is not.
    """
    from ops import settings
    from ops.doctor.examine import examine

    chosen = settings.load().require("store_url", "warehouse_url", "kafka_bootstrap", "connect_url")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what does not answer is a line of ours
    checks = []
    for check in examine(chosen):
        checks.append(check)
        if not as_json:
            click.echo(str(check))
    bad = sum(not check.ok for check in checks)
    if as_json:
        click.echo(json.dumps({"ok": not bad, "checks": [asdict(check) for check in checks]}))
    else:
        click.echo(f"{len(checks)} checks, " + (f"{bad} not good" if bad else "all good"))
    sys.exit(BAD_DATA if bad else GOOD)
