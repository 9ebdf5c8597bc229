"""`cx publish`: one cycle, the loop, and the questions about what was published."""

import atexit
import gc
import json
import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ops.cli import BAD_DATA, COULD_NOT_RUN, GOOD
from ops.settings import PROJECT_DIRECTORY, Settings, load

if TYPE_CHECKING:
    import psycopg

    from expectations.publish.cycle import Outcome

EXIT_CODES = {"published": GOOD, "held": BAD_DATA, "error": COULD_NOT_RUN}


@click.group(invoke_without_command=True)
@click.option("--watch", is_flag=True, help="Stay, and publish whenever something is new.")
@click.option("--as-of", "as_of", metavar="TIME", help="Tell what the marts stood at, e.g. 2026-11-24T09:00Z. Publishes nothing.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.pass_context
def publish(context: click.Context, watch: bool, as_of: str | None, as_json: bool) -> None:
    """Build the marts, check them, and publish them if they are good: one cycle.

    Exit code 0: published. 1: the gate holds the publish, the marts stay as they are. 2: it could not be done or checked.
    """
    if context.invoked_subcommand:
        return
    settings = load().require("warehouse_url")
    if as_of:
        show_as_of(settings, moment(as_of), as_json)
    elif watch:
        stay(settings, as_json)
    else:
        sys.exit(once(settings, as_json))


@publish.command("list")
@click.option("--limit", default=20, show_default=True, help="How many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def list_publications(limit: int, as_json: bool) -> None:
    """List publications: when, up to which landing, what changed."""
    from expectations.publish import history

    with connected(load().require("warehouse_url")) as connection:
        found = history.publications(connection, limit)
    show(found, as_json, "Nothing was published yet.", publication_line)


@publish.command()
@click.option("--limit", default=100, show_default=True, help="How many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def held(limit: int, as_json: bool) -> None:
    """List tickets kept out of the marts by the gate; they return by themselves once they pass."""
    from expectations.publish import history

    with connected(load().require("warehouse_url")) as connection:
        found = history.held(connection, limit)
    show(found, as_json, "Nothing is held.", held_line)


def once(settings: Settings, as_json: bool) -> int:
    """One cycle; the exit code."""
    import psycopg

    from expectations.publish.lock import Occupied, Refused

    gc_frozen_at_exit()
    resident = make_resident(settings)
    try:
        connection = resident.connect()
    except (Occupied, Refused, psycopg.Error) as error:
        click.echo(f"cx publish: {' '.join(str(error).split())}", err=True)
        return COULD_NOT_RUN
    try:
        outcome = resident.cycle(connection).run()
    finally:
        connection.close()
    click.echo(json.dumps(report(outcome)) if as_json else outcome_line(outcome), err=outcome.result == "error" and not as_json)
    return EXIT_CODES[outcome.result]


def stay(settings: Settings, as_json: bool) -> None:
    """The loop, until SIGTERM or SIGINT; replaces itself by a fresh process when it grew; exit code 2 when it is not let in."""
    from expectations.publish.lock import Refused
    from expectations.publish.metrics import Metrics
    from expectations.publish.watch import Watch

    metrics = Metrics()

    def tell(outcome: "Outcome", reason: str) -> None:
        metrics.ended(outcome)
        if reason != "idle" or outcome.result != "published":
            click.echo(json.dumps(report(outcome)) if as_json else f"{datetime.now(UTC):%H:%M:%S} {outcome_line(outcome)}")

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    gc_frozen_at_exit()
    try:
        metrics.serve(settings.metrics_bind, int(settings.publisher_metrics_port))
    except OSError as error:
        click.echo(f"cx publish: no /metrics: port {settings.publisher_metrics_port}: {error.strerror}", err=True)
    watch = Watch(
        make_resident(settings), float(settings.publish_every_seconds), tell, lambda text: click.echo(f"cx publish: {text}")
    )
    try:
        recycle = watch.run(stop)
    except Refused as error:
        click.echo(f"cx publish: {error}", err=True)
        sys.exit(COULD_NOT_RUN)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)  # a signal must not be lost between the last look and the fresh start
    if recycle and not stop.is_set():
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - this very command


def gc_frozen_at_exit() -> None:
    """Leave without the last garbage collection: over all of dbt and Great Expectations it takes seconds."""
    atexit.register(gc.freeze)


def make_resident(settings: Settings) -> Any:
    """Wire dbt, the gate and the warehouse as this installation says."""
    from expectations.gate.gate import Files
    from expectations.policy import DEFAULT_POLICY
    from expectations.publish.resident import Publisher
    from expectations.publish.transform import Project

    run = Path(settings.run_directory)
    files = Files(
        policy=Path(settings.publish_policy) if settings.publish_policy else DEFAULT_POLICY,
        docs=run / "data_docs",
        docs_url=settings.data_docs_url,
    )
    address = settings.publisher_url or settings.warehouse_url
    project = Project(PROJECT_DIRECTORY / "dbt_project", run / "dbt", address, settings.timezone, settings.builder_url or address)
    return Publisher(project, files)


def connected(settings: Settings) -> "psycopg.Connection":
    """A connection for questions."""
    import psycopg

    try:
        return psycopg.connect(settings.warehouse_url, connect_timeout=10)
    except psycopg.OperationalError as error:
        click.echo(f"cx publish: {' '.join(str(error).split())}", err=True)
        sys.exit(COULD_NOT_RUN)


def show_as_of(settings: Settings, at: datetime, as_json: bool) -> None:
    from expectations.publish import history

    with connected(settings) as connection:
        found = history.as_of(connection, at)
    if found is None:
        click.echo("null" if as_json else f"Nothing was published before {at:%Y-%m-%d %H:%M:%S %Z}.")
    elif as_json:
        click.echo(json.dumps(found, default=str))
    else:
        click.echo(publication_line(found))
        for mart in found["marts"]:
            click.echo(
                f"  {mart['mart']}: last changed by publication {mart['publication']} at {mart['at']:%Y-%m-%d %H:%M:%S %Z}"
            )


def show(found: list[dict[str, Any]], as_json: bool, nothing: str, line: Any) -> None:
    if as_json:
        click.echo(json.dumps(found, default=str))
    else:
        click.echo("\n".join(map(line, found)) or nothing)


def moment(text: str) -> datetime:
    """A time as people write it; without a zone it is UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not a time such as 2026-11-24T09:00Z", param_hint="--as-of") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def publication_line(row: dict[str, Any]) -> str:
    at = f"{row['at']:%Y-%m-%d %H:%M:%S %Z}"
    watermark = f"{row['watermark']:%Y-%m-%d %H:%M:%S}" if row["watermark"] else "nothing"
    return f"{row['id']}  {at}  landed up to {watermark}  gate {row['gate_result']}  {changes(row['rows_changed'])}"


def held_line(row: dict[str, Any]) -> str:
    group = "" if row["scope"] == "ticket" else f" with its {row['scope']}"
    held_since = f"held{group} since {row['held_at']:%Y-%m-%d %H:%M:%S %Z}"
    state = "returns with the next publish" if row["released_at"] else held_since
    seen = f"{row['field']} = {row['value']!r}" if row["field"] else row["reason"]
    return f"{row['source_system']} {row['ticket_id']}  {row['check']}  {seen}  {state}  {row['evidence_url'] or ''}".rstrip()


def outcome_line(outcome: "Outcome") -> str:
    """A cycle in one line."""
    seconds = sum(outcome.stage_seconds.values())
    if outcome.published is None:
        return f"{'held' if outcome.result == 'held' else 'could not publish'}: {outcome.message}"
    remark = f" ({outcome.message})" if outcome.message else ""
    return f"published {outcome.published.publication_id} in {seconds:.1f} s: {changes(outcome.published.rows_changed)}{remark}"


def changes(rows_changed: Any) -> str:
    """Marts that changed, with rows written."""
    totals = {mart: sum(counts.values()) for mart, counts in rows_changed.items()}
    return ", ".join(f"{mart} {total}" for mart, total in totals.items() if total) or "nothing changed"


def report(outcome: "Outcome") -> dict[str, Any]:
    """A cycle as JSON."""
    published = outcome.published
    return {
        "result": outcome.result,
        "message": outcome.message,
        "gate": outcome.gate_result,
        "publication_id": published.publication_id if published else None,
        "watermark": published.watermark if published else None,
        "rows_changed": published.rows_changed if published else {},
        "checks": outcome.checks,
        "stage_seconds": outcome.stage_seconds,
    }
