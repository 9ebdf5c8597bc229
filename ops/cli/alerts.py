"""`cx alerts`: the notifier, what is open, what a person has to say about it, and a test letter."""

import asyncio
import getpass
import json
import logging
import sys
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import click

from ops import settings
from ops.cli import COULD_NOT_RUN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from ops.alerts.notifier import Setup
    from ops.objectives.sampler import Setup as Objectives
    from ops.spikes.watch import Setup as Spikes

BAD_DATA = 1


@click.group()
def alerts() -> None:
    """Incidents: tell Slack about them, list them, flag the ones that were no problem."""


@alerts.command()
def serve() -> None:
    """Run the notifier: outbox to incidents, letters to Slack, samples of the objectives, the "not a problem" page, /metrics."""
    from ops.alerts.serve import serve as run

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a broker that does not answer is a sample
    logging.getLogger("httpx").setLevel(logging.WARNING)  # its request lines hold the webhook
    known, setup = settings.load(), _setup()
    port = urlsplit(known.flag_url).port or 0
    for sentence in [*setup.missing.values(), *_without_links(setup)]:
        logging.getLogger("cx.alerts").warning("%s", sentence)
    try:
        asyncio.run(run(setup, _objectives(known), _spikes(known), host=known.flag_bind, port=port))
    except OSError as error:
        click.echo(f"cx alerts serve: cannot listen on {known.flag_bind}:{port}: {error.strerror or error}", err=True)
        sys.exit(COULD_NOT_RUN)


@alerts.command("list")
@click.option("--all", "with_over", is_flag=True, help="Also the newest incidents that are over.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_incidents(with_over: bool, as_json: bool) -> None:
    """Open incidents, why each is silent, and which Slack channels do not answer."""
    from ops.alerts import ledger, listing

    with _warehouse() as connection:
        incidents, state = ledger.recent(connection, with_over), listing.state(connection)
    if as_json:
        click.echo(json.dumps({"incidents": [_plain(one) for one in incidents], **state}, default=str, indent=2))
        return
    click.echo("\n".join(listing.lines(incidents, state, _zone(), datetime.now(UTC))))


@alerts.command()
@click.argument("incident_id", type=int)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(incident_id: int, as_json: bool) -> None:
    """One incident: what happened, its failing rows, what to do, what was sent, who flagged it."""
    from ops.alerts import ledger, listing

    with _warehouse() as connection:
        found = ledger.by_id(connection, [incident_id])
        history = listing.history(connection, incident_id)
    if not found:
        _stop(f"there is no incident {incident_id}: see `cx alerts list --all`")
    if as_json:
        click.echo(json.dumps({"incident": _plain(found[0]), **history}, default=str, indent=2))
        return
    click.echo("\n".join(listing.letter(found[0], history, _zone(), settings.load().quote_in_alerts == "true")))


@alerts.command()
@click.argument("incident_id", type=int)
@click.option("--false-positive", is_flag=True, required=True, help="It was not a problem.")
@click.option("--why", required=True, help="The reason, for whoever tunes the check.")
@click.option("--by", "name", default="", help="Who says so; your login name by default.")
def flag(incident_id: int, false_positive: bool, why: str, name: str) -> None:
    """Record that an incident was not a problem. It is counted; nothing is silenced."""
    from ops.alerts import flags

    if not why.strip():
        _stop("--why needs a reason")
    with _warehouse() as connection:
        outcome = flags.record(connection, incident_id, name=name.strip() or getpass.getuser(), why=why, via="command")
    if outcome == flags.UNKNOWN:
        _stop(f"there is no incident {incident_id}: see `cx alerts list --all`")
    click.echo(f"incident {incident_id}: recorded as not a problem")


@alerts.command()
@click.option("--channel", default="", help="Only this channel of the routes file.")
def test(channel: str) -> None:
    """Send a test letter to every channel, or to one, and say what Slack answers."""
    from ops.alerts import trial

    setup = _setup()
    if channel and channel not in setup.routes.channels:
        _stop(f"there is no channel {channel!r} in the routes file; known are {', '.join(setup.routes.channels)}")
    names = [channel] if channel else list(setup.routes.channels)
    answers = {name: setup.missing.get(name) or asyncio.run(trial.send(setup, name)) for name in names}
    for name, answer in answers.items():
        click.echo(f"{name}: {answer or 'delivered'}")
    sys.exit(BAD_DATA if any(answers.values()) else 0)


def _setup() -> "Setup":
    from ops.alerts import routes_file
    from ops.alerts.notifier import Setup

    known = settings.load().require("warehouse_url")
    routes = routes_file.read(known.slack_routes)
    webhooks = {name: address for name, variable in routes.channels.items() if (address := settings.variable(variable))}
    return Setup(
        known.notifier_url or known.warehouse_url,
        routes,
        webhooks,
        flag_url=known.flag_url,
        flag_secret=known.flag_secret,
        zone=_zone(),
        with_quotes=known.quote_in_alerts == "true",
    )


def _objectives(known: settings.Settings) -> "Objectives":
    from ops import kafka_access
    from ops.objectives import file
    from ops.objectives.measure import Sources
    from ops.objectives.sampler import Setup as Objectives
    from ops.stack.topics import CAPTURED

    kafka = kafka_access.chosen(known) if known.kafka_bootstrap else None
    addresses = (known.notifier_url or known.warehouse_url, known.store_url, kafka, known.connect_url)
    return Objectives(file.read(known.objectives), Sources(*addresses, known.consumer_group, CAPTURED))


def _spikes(known: settings.Settings) -> "Spikes":
    """The marts are read as any reader of them reads; without such an address, as the notifier."""
    from ops.spikes.watch import Setup as Spikes

    own = known.notifier_url or known.warehouse_url
    return Spikes(known.bi_url or own, own)


def _without_links(setup: "Setup") -> list[str]:
    if setup.flag_url and setup.flag_secret:
        return []
    return ["messages carry no 'not a problem' link: CX_FLAG_URL and CX_FLAG_SECRET must both be set"]


@contextmanager
def _warehouse() -> "Iterator[Connection[Any]]":
    import psycopg

    try:
        with psycopg.connect(settings.load().require("warehouse_url").warehouse_url, connect_timeout=5) as connection:
            yield connection
    except psycopg.OperationalError as error:
        _stop(f"the warehouse does not answer: {' '.join(str(error).split())}")
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        _stop("this warehouse has no alert tables yet: `cx up` or `cx prepare` makes them")


def _zone() -> ZoneInfo:
    name = settings.load().timezone
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise settings.SettingsError(f"CX_TIMEZONE: {name!r} is not a time zone like Europe/Berlin") from None


def _plain(incident: Any) -> dict[str, Any]:
    return {**asdict(incident), "is_open": incident.is_open}


def _stop(sentence: str) -> None:
    click.echo(f"cx alerts: {sentence}", err=True)
    sys.exit(COULD_NOT_RUN)
