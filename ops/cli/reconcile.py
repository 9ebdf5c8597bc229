"""`cx reconcile`: does the warehouse hold what the store holds?"""

import json
import sys
import time

import click

from ops.cli import BAD_DATA, COULD_NOT_RUN, GOOD

TABLES = click.Choice(["ticket_signals", "tag_taxonomy", "accounts"])


@click.command()
@click.option("--repair", is_flag=True, help="Have differing rows read again from the store; end the life of extra ones.")
@click.option("--table", "tables", multiple=True, type=TABLES, help="Compare only this table; may be repeated.")
@click.option("--remove-at-most", default=100, show_default=True, help="A repair that would remove more extra rows removes none.")
@click.option("--patience", default=60.0, show_default=True, help="Seconds to wait until the pipeline has caught up.")
@click.option("--every", type=click.FloatRange(min=1), metavar="SECONDS", help="Go on, one comparison after the other.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def reconcile(
    *, repair: bool, tables: tuple[str, ...], remove_at_most: int, patience: float, every: float | None, as_json: bool
) -> None:
    """Compare store and warehouse by value and name every row that differs.

    Exit code 0: equal (or every difference is explained or dead-lettered); 1: rows differ; 2: no answer could be found.
    Each run is written to ops.reconciliations; a difference raises an alert, and its end closes it.
    """
    from ops import kafka_access, own_store, settings
    from ops.reconcile.run import Request

    chosen = settings.load().require("store_url", "warehouse_url", "kafka_bootstrap")
    request = Request(
        chosen.store_url,
        chosen.warehouse_url,
        kafka_access.chosen(chosen),
        tables,
        repair,
        remove_at_most,
        patience,
        own_store.chosen(chosen),
    )
    while True:
        code = _once(request, as_json)
        if every is None:
            sys.exit(code)
        time.sleep(every)


def _once(request: object, as_json: bool) -> int:
    from ops.reconcile import report
    from ops.reconcile.run import CouldNotRun, Request, run

    assert isinstance(request, Request)  # noqa: S101
    try:
        found = run(request, say=lambda line: click.echo(line, err=True))
    except CouldNotRun as error:
        click.echo(f"cx: {error}", err=True)
        return COULD_NOT_RUN
    if as_json:
        click.echo(json.dumps(report.as_json(found), default=str))
    else:
        click.echo("\n".join(report.as_lines(found)))
    return GOOD if report.is_equal(found) else BAD_DATA
