"""`cx backfill`: read rows of the store again, beside live traffic."""

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from ops.cli import COULD_NOT_RUN, GOOD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ops.reconcile.relations import Relation
    from ops.settings import Settings

TABLES = ("ticket_signals", "tag_taxonomy", "accounts")


@click.command()
@click.option("--where", "row_filter", metavar="SQL", help="Rows to read again, as a condition on the store's columns.")
@click.option("--all", "everything", is_flag=True, help="Read all rows again.")
@click.option(
    "--table", "tables", multiple=True, type=click.Choice(TABLES), help="Default: ticket_signals; with --all every table."
)
@click.option("--no-wait", is_flag=True, help="Ask, and return; --status shows how far it is.")
@click.option("--status", "action", flag_value="status", help="What runs, and the last backfills.")
@click.option("--pause", "action", flag_value="pause", help="Halt what runs after its present chunk of 1,024 rows.")
@click.option("--resume", "action", flag_value="resume", help="Let it go on.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def backfill(
    *, row_filter: str | None, everything: bool, tables: tuple[str, ...], no_wait: bool, action: str | None, as_json: bool
) -> None:
    """Have Debezium read rows of the store again, and wait until they have landed.

    Rows that the warehouse already holds change nothing, and a newer change is never overwritten: run it as often as you
    like, at any time. A running backfill of the same rows is followed instead of being asked for again.
    """
    from ops import own_store, settings
    from ops.backfill import connector, follow, request
    from ops.reconcile.relations import relations

    chosen = settings.load().require("store_url", "warehouse_url", "kafka_bootstrap", "connect_url")
    if (action is None) == (row_filter is None and not everything) or (row_filter and everything):
        raise click.UsageError("say one of --where SQL, --all, --status, --pause, --resume")
    try:
        if action == "status":
            _print_status(chosen, as_json)
        elif action:
            _hold(chosen, paused=action == "pause")
        else:
            captured = relations(own_store.chosen(chosen))
            named = tables or (tuple(captured) if everything else TABLES[:1])
            if unknown := set(named) - set(captured):
                raise click.UsageError(f"the store's mapping does not name {', '.join(sorted(unknown))}")
            _run(chosen, [captured[name] for name in named], row_filter or "", wait=not no_wait, as_json=as_json)
    except (connector.ConnectorUnreachable, follow.CouldNotFollow, request.BadFilter) as error:
        click.echo(f"cx: {error}", err=True)
        sys.exit(COULD_NOT_RUN)
    sys.exit(GOOD)


def _run(chosen: "Settings", captured: "Sequence[Relation]", row_filter: str, *, wait: bool, as_json: bool) -> None:
    import psycopg

    from ops import kafka_access
    from ops.backfill import connector, follow, request

    outcomes = []
    for relation in captured:
        table = relation.table
        connector.running(chosen.connect_url)  # nothing is asked of a connector that does not answer
        ends = follow.ends(kafka_access.chosen(chosen), f"cx.enrichment.{table}")
        with (
            psycopg.connect(chosen.store_url, autocommit=True) as store,
            psycopg.connect(chosen.warehouse_url, autocommit=True) as warehouse,
        ):
            asked = request.find_or_ask(store, warehouse, relation, row_filter, ends)
        verb = "asked Debezium to read" if asked.is_new else "a backfill that runs already reads"
        click.echo(f"{table}: {verb} {asked.expected} rows ({row_filter or 'all'}), signal {asked.backfill_id}", err=True)
        landed = _follow(chosen, asked, as_json) if wait else 0
        outcomes.append({"backfill_id": asked.backfill_id, "table": table, "expected": asked.expected, "landed": landed})
    if as_json:
        click.echo(json.dumps({"backfills": outcomes}))


def _follow(chosen: "Settings", asked: Any, as_json: bool) -> int:
    from ops import kafka_access
    from ops.backfill import follow
    from ops.backfill.progress import Progress

    def say(progress: Progress) -> None:
        click.echo(f"  {progress.read} read, {progress.landed} landed of {progress.expected}", err=True)

    done = follow.follow(asked, kafka_access.chosen(chosen), chosen.connect_url, chosen.warehouse_url, say)
    landed = min(done.landed, done.expected)  # after a crash of Connect a chunk is read twice
    fewer = "; the others changed or went away meanwhile" if landed < done.expected else ""
    click.echo(f"{asked.table}: {landed} of {done.expected} rows have landed{fewer}", err=as_json)
    return landed


def _hold(chosen: "Settings", *, paused: bool) -> None:
    import psycopg

    from ops.backfill import request

    with (
        psycopg.connect(chosen.store_url, autocommit=True) as store,
        psycopg.connect(chosen.warehouse_url, autocommit=True) as warehouse,
    ):
        number = request.hold(store, warehouse, paused)
    click.echo(f"asked Debezium to {'pause' if paused else 'resume'} incremental snapshots ({number} of `cx backfill`)")


def _print_status(chosen: "Settings", as_json: bool) -> None:
    import psycopg

    from ops.backfill import connector, request

    running = [{"table": table, "filter": row_filter} for table, row_filter in connector.running(chosen.connect_url)]
    with psycopg.connect(chosen.warehouse_url) as warehouse:
        recent = request.recent(warehouse)
    if as_json:
        click.echo(json.dumps({"running": running, "backfills": recent}, default=str))
        return
    for one in running:
        click.echo(f"Debezium reads {one['table']} {one['filter']}")
    if not running:
        click.echo("no incremental snapshot runs")
    for one in recent:
        rows = f"{one['rows_landed']} of {one['rows_expected']} rows landed"
        click.echo(
            f"{one['requested_at']:%Y-%m-%d %H:%M:%S} {one['table_name']} {one['state']}: {rows} ({one['row_filter'] or 'all'})"
        )
