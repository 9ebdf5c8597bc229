"""`cx report`: the week on one page, and in one Slack message."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from zoneinfo import ZoneInfo

import click

from ops import settings
from ops.cli import BAD_DATA, COULD_NOT_RUN, GOOD

if TYPE_CHECKING:
    from ops.report.facts import Facts
    from ops.report.weeks import Week


@click.command()
@click.option(
    "--week", "week_name", is_flag=False, flag_value="this", default="this", metavar="WEEK",
    help="An ISO week like 2026-W48, `last`, or `this`, which is what it is when left out.",
)  # fmt: skip
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the page; .run/reports by default.")
@click.option("--url", default="", help="The address at which the page will be found, for the Slack message.")
@click.option("--slack", "to_slack", is_flag=True, help="Also send a digest to the channel that hears everything else.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def report(week_name: str, out: Path | None, url: str, to_slack: bool, as_json: bool) -> None:
    """Write the weekly report: objectives, latency, lag, outcomes, dead letters, incidents, alert precision, movers.

    Exit code 0: written. 1: written, and an objective is unmet. 2: it could not be written or sent.
    """
    known = settings.load().require("warehouse_url")
    week = _week(week_name, known)
    facts = _facts(known, week)
    path = out or Path(known.run_directory) / "reports" / f"cx-signals-{week.name}.html"
    _write(path, facts)
    refused = _send(known, facts, url or str(path)) if to_slack else ""
    if as_json:
        click.echo(json.dumps(_summary(facts, path, refused if to_slack else None), indent=2, default=str))
    else:
        click.echo(f"{path}: {_headline(facts)}")
    if refused:
        click.echo(f"cx report: the digest was not sent: {refused}", err=True)
    sys.exit(COULD_NOT_RUN if refused else BAD_DATA if facts.unmet else GOOD)


def _week(text: str, known: settings.Settings) -> "Week":
    from ops.report import weeks

    try:
        zone = ZoneInfo(known.timezone)
    except (KeyError, ValueError, OSError):
        raise settings.SettingsError(f"CX_TIMEZONE: {known.timezone!r} is not a time zone like Europe/Berlin") from None
    try:
        return weeks.parse(text, datetime.now(zone).date(), zone)
    except weeks.WeekError as error:
        raise click.BadParameter(str(error), param_hint="--week") from error


def _facts(known: settings.Settings, week: "Week") -> "Facts":
    import psycopg

    from ops.objectives import file
    from ops.report.facts import gather

    promises = file.read(known.objectives)
    try:
        with psycopg.connect(known.warehouse_url, connect_timeout=5, options="-c default_transaction_read_only=on") as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            return gather(connection, promises, week, datetime.now(UTC))
    except psycopg.OperationalError as error:
        _stop(f"the warehouse does not answer: {' '.join(str(error).split())}")
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        _stop("this warehouse lacks tables of the report: `cx up` or `cx prepare` makes them")


def _write(path: Path, facts: "Facts") -> None:
    from ops.report.page import render

    text = render(facts)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        _stop(f"{path} cannot be written: {error.strerror or error}")


def _send(known: settings.Settings, facts: "Facts", page: str) -> str:
    """Post the digest. Returns what Slack, or the routes file, said against it."""
    import asyncio

    from ops.alerts import routes_file, slack
    from ops.report import digest, post

    routes = routes_file.read(known.slack_routes)
    channel = routes.route("info", "data-platform").channel
    variable = routes.channels[channel]
    webhook = settings.variable(variable)
    if not webhook:
        return f"channel {channel} has no webhook: {variable} is not set"
    return asyncio.run(post.post(webhook, digest.render(facts, page), slack.default_timeout()))


def _headline(facts: "Facts") -> str:
    from ops.report.page import headline

    return headline(facts)


def _summary(facts: "Facts", path: Path, refused: str | None) -> dict[str, Any]:
    from ops.objectives import words

    return {
        "week": facts.week.name,
        "page": str(path),
        "headline": _headline(facts),
        "objectives": [
            {
                "name": one.objective.name,
                "met": one.is_met if one.is_measured else None,
                "budget_left_ratio": one.budget.left_share,
                "sentence": words.standing(one),
            }
            for one in facts.standings
        ],
        "outcomes": facts.outcomes.total,
        "dead_letters": {row["reason"]: row["letters"] for row in facts.dead_letters},
        "incidents": len(facts.incidents),
        "publications": facts.publications,
        "cycles": facts.cycles,
        "slack": None if refused is None else refused or "delivered",
    }


def _stop(sentence: str) -> NoReturn:
    click.echo(f"cx report: {sentence}", err=True)
    sys.exit(COULD_NOT_RUN)
