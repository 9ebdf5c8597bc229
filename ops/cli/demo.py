"""`cx demo`: everything once, on the sample tickets, and what a person wants to see of it."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any

import click

from ops import settings
from ops.cli import BAD_DATA, COULD_NOT_RUN

if TYPE_CHECKING:
    from connectors.simulation.run import Tally
    from ops.stack.coverage import Coverage
    from ops.stack.layout import Stack

SAMPLE = settings.PROJECT_DIRECTORY / "connectors" / "sample" / "tickets.csv"
PUBLISH_SECONDS = 180.0
SAY_EVERY_SECONDS = 5.0
# Enough traffic that every outcome is likely to be seen, short enough to land beside the import.
TRAFFIC_RATE, TRAFFIC_SECONDS = 150.0, 3.0
WIDTH = 160  # columns at least, so that links stay whole

OUTCOMES = """
select outcome, records
from (
    select sum(applied), sum(duplicate), sum(stale), sum(conflict), sum(rejected), sum(deleted) from landing.consumed_records
) as total (applied, duplicate, stale, conflict, rejected, deleted)
cross join lateral (
    values ('applied', applied), ('duplicate', duplicate), ('stale', stale),
    ('conflict', conflict), ('rejected', rejected), ('deleted', deleted)
) as counted (outcome, records)
"""
DRIVERS = """
with days as (
    select driver, signal_count, positive_count, neutral_count, negative_count, high_churn_count, worst_evidence_url, signal_date
    from marts.fct_driver_sentiment_daily
    where signal_date > (select max(signal_date) from marts.fct_driver_sentiment_daily) - 7
)

select
    driver,
    sum(signal_count) as tickets,
    sum(positive_count) as positive,
    sum(neutral_count) as neutral,
    sum(negative_count) as negative,
    to_char(100.0 * (sum(positive_count) - sum(negative_count)) / sum(signal_count), 'S990') as net,
    sum(high_churn_count) as churn,
    (array_agg(worst_evidence_url order by negative_count desc, signal_date desc))[1] as evidence
from days
group by driver
order by sum(negative_count) desc
"""
LATENCY = """
with newest as (
    select coalesce(store_committed_at, updated_at) as stored_at, landed_at, landed_xid
    from landing.ticket_signal_versions
    order by landed_at desc
    limit 5000
),

timed as (
    select newest.landed_at - newest.stored_at as landing, first_publication.at - newest.stored_at as publishing
    from newest
    cross join lateral (
        select at from marts.publications
        where at >= newest.landed_at and pg_visible_in_snapshot(newest.landed_xid, to_snapshot)
        order by id
        limit 1
    ) as first_publication
)

select
    to_char(extract(epoch from percentile_disc(0.5) within group (order by landing)), '990.0'),
    to_char(extract(epoch from percentile_disc(0.95) within group (order by landing)), '990.0'),
    to_char(extract(epoch from percentile_disc(0.5) within group (order by publishing)), '990.0'),
    to_char(extract(epoch from percentile_disc(0.95) within group (order by publishing)), '990.0')
from timed
"""
DEAD_LETTERS = """
select reason, count(*), min(detail), min(remedy)
from landing.dead_letters
where status = 'open'
group by reason
order by 2 desc, 1
limit 5
"""


@click.command()
def demo() -> None:
    """Start everything, import the sample, add live traffic, wait until the marts are published, and show them."""
    from ops.cli.up import bring_up
    from ops.stack import layout, postgres

    run_directory = Path(settings.load().run_directory).resolve()
    began = time.monotonic()
    try:
        bring_up(run_directory)
    except (layout.StackError, postgres.PostgresMissing) as error:
        click.echo(f"cx demo: {error}", err=True)
        sys.exit(COULD_NOT_RUN)
    stack = layout.load(run_directory)
    assert stack is not None  # noqa: S101 - bring_up has prepared it
    import_sample(stack)
    add_traffic(stack)
    wait_until_published(stack)
    show(stack)
    click.echo(f"\nThis took {time.monotonic() - began:.0f} s.")


def import_sample(stack: "Stack") -> None:
    """Write the sample into the store. Its times are ages, counted from the first demo: a second one changes nothing."""
    end = stack.run_directory / "demo.end"
    if not end.exists():
        end.write_text(datetime.now(UTC).isoformat(timespec="seconds"))
    click.echo(f"importing {SAMPLE.relative_to(settings.PROJECT_DIRECTORY)} into the enrichment store")
    rejects = str(stack.run_directory / "demo.rejects.csv")
    command = [str(Path(sys.executable).with_name("cx")), "import", str(SAMPLE), "--map", "sample", "--allow-rejects", "--json"]
    command += ["--end", end.read_text(), "--rejects", rejects]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, env={**os.environ, **stack.settings()})
    if done.returncode:
        sys.exit(done.returncode)
    click.echo("\n".join(f"  {line}" for line in import_lines(json.loads(done.stdout))))


def import_lines(report: dict[str, Any]) -> list[str]:
    """What the import did, from the report of `cx import --json`, in one line or two."""
    same = report["unchanged"] + report["older"]
    lines = [f"{report['read']:,} rows read: {report['written']:,} written, {same:,} in the store already or older than it"]
    if report["rejected"]:
        lines.append(f"{report['rejected']:,} rows could not be read, as intended: they are in {report['rejects_file']}")
    return lines


def add_traffic(stack: "Stack") -> None:
    """A few seconds of what an enrichment product does all day: duplicates, versions that come late, deletes."""
    from connectors.simulation.run import simulate
    from connectors.simulation.world import World
    from connectors.simulation.writer import StoreUnavailable, Writer

    click.echo(f"simulating {TRAFFIC_SECONDS:g} s of live traffic, as `cx simulate` does")
    world = World(Random(SystemRandom().random()), run=f"demo{int(time.time()):x}")  # noqa: S311 - made-up data
    try:
        writer = Writer(stack.server.url("store"))
        try:
            tally = simulate(world, writer, TRAFFIC_RATE, TRAFFIC_SECONDS)
        finally:
            writer.close()
    except StoreUnavailable as error:
        click.echo(f"cx demo: the enrichment store: {error}", err=True)
        sys.exit(COULD_NOT_RUN)
    click.echo("  " + traffic_line(tally))


def traffic_line(tally: "Tally") -> str:
    """How many events of which kind, the most frequent first."""
    kinds = ", ".join(f"{count:,} {kind.replace('_', '-')}" for kind, count in tally.by_kind.most_common())
    return f"{tally.total:,} events: {kinds}"


def wait_until_published(stack: "Stack") -> None:
    """Return when every ticket of the store has landed and the newest publication holds all that landed; say how far it is."""
    from ops.stack import coverage

    deadline, said_at = time.monotonic() + PUBLISH_SECONDS, float("-inf")
    while True:
        seen = coverage.look(stack.server.url("store"), stack.server.url("warehouse"))
        if seen.is_complete:
            click.echo(f"all {seen.tickets:,} tickets have arrived and are published")
            return
        if time.monotonic() - said_at > SAY_EVERY_SECONDS:
            click.echo("  " + "; ".join([f"{seen.arrived:,} of {seen.tickets:,} tickets have landed", *_hindrances(stack, seen)]))
            said_at = time.monotonic()
        if time.monotonic() > deadline:
            click.echo(f"cx demo: not published within {PUBLISH_SECONDS:g} s: see `cx status` and .run/logs", err=True)
            sys.exit(BAD_DATA)
        time.sleep(0.25)


def _hindrances(stack: "Stack", seen: "Coverage") -> list[str]:
    from ops.stack import detached, status

    publishing = seen.hindrance or ("the publisher is at work" if seen.arrived == seen.tickets else "")
    return [*filter(None, [publishing]), *status.part_problems(detached.read_state(stack.run_directory).get("parts", {}))]


def show(stack: "Stack") -> None:
    """Print outcomes, the driver table, latency, dead letters, and how to go on."""
    import psycopg

    with psycopg.connect(stack.server.url("warehouse")) as warehouse:
        outcomes = warehouse.execute(OUTCOMES).fetchall()
        drivers = warehouse.execute(DRIVERS).fetchall()
        latency = warehouse.execute(LATENCY).fetchone()
        letters = warehouse.execute(DEAD_LETTERS).fetchall()
    table("What became of every record", ["outcome", "records"], outcomes)
    columns = ["driver", "tickets", "positive", "neutral", "negative", "net %", "high churn", "one click to the evidence"]
    table("Drivers and sentiment, last 7 days (marts.fct_driver_sentiment_daily)", columns, drivers)
    if latency:
        table("Seconds from the store's commit", ["landed p50", "landed p95", "published p50", "published p95"], [latency])
    table("Dead letters (landing.dead_letters)", ["reason", "count", "for example", "what to do"], letters)
    click.echo(next_steps(stack))


def table(title: str, columns: list[str], rows: list[tuple[object, ...]]) -> None:
    """One table on the terminal; numbers to the right."""
    from rich.console import Console
    from rich.table import Table

    drawn = Table()
    for place, name in enumerate(columns):
        sample = rows[0][place] if rows else ""
        stays_whole = place == 0 or str(sample).startswith("http")
        drawn.add_column(name, justify="left" if isinstance(sample, str) else "right", no_wrap=stays_whole, overflow="fold")
    for row in rows:
        drawn.add_row(*(value if isinstance(value, str) else f"{value:,}" for value in row))
    click.echo(f"\n{title}")
    Console(width=max(Console().width, WIDTH)).print(drawn)


def next_steps(stack: "Stack") -> str:
    """How to connect, look and stop."""
    return "\n".join(
        [
            "Connect BI as bi_reader (reads schema marts only):",
            f"  {stack.psql()}",
            "Look:  .venv/bin/cx status        Traffic:  .venv/bin/cx simulate --rate 20 --for 60        Stop:  make down",
        ]
    )
