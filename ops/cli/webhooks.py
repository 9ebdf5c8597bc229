"""`cx webhooks`: who hears by webhook, how each subscriber stands, and what a person may do about it."""

import asyncio
import base64
import getpass
import json
import secrets as random
import sys
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ops import settings
from ops.cli import BAD_DATA, COULD_NOT_RUN, GOOD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.outbound.webhooks.subscriptions import Subscription

WHY = click.option("--why", default="", help="A note for ops.webhook_actions.")
BY = click.option("--by", default="", help="Who acts; default: your login name.")


@click.group()
def webhooks() -> None:
    """Subscriptions of CX_WEBHOOKS: list, test, replay, pause, resume. `cx outbound` delivers."""


@webhooks.command("list")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def list_subscriptions(as_json: bool) -> None:
    """Every subscription: state, circuit, what waits, what was given up, the last answer.

    Exit code 0: all are served. 1: one is disabled, its circuit is open, or messages were given up. 2: the file is wrong.
    """
    from ops.outbound import webhook_desk

    named = {one.name: one for one in _subscriptions()}
    with _warehouse() as url:
        known = {row["subscription"]: row for row in webhook_desk.standing(url)}
    rows = [_described(one, known.get(name)) for name, one in named.items()]
    if as_json:
        click.echo(json.dumps(rows, indent=2, default=str))
    else:
        click.echo("\n".join(map(_line, rows)) if rows else "No subscriptions.")
    sys.exit(BAD_DATA if any(row["trouble"] for row in rows) else GOOD)


@webhooks.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def test(name: str, as_json: bool) -> None:
    """Post a signed test message (type cx.webhook.test) and say what the subscriber answers. Exit code 1 unless 2xx."""
    from ops.outbound import webhook_desk

    answer = asyncio.run(webhook_desk.try_one(_named(name)))
    is_good = 200 <= answer.status < 300
    if as_json:
        click.echo(json.dumps({"subscription": name, "delivered": is_good, "status": answer.status, "said": answer.said}))
    else:
        click.echo(f"{name}: {'delivered, ' if is_good else ''}{answer}")
    sys.exit(GOOD if is_good else BAD_DATA)


@webhooks.command()
@click.argument("name")
@click.option("--dead", is_flag=True, help="What was given up.")
@click.option("--id", "ids", type=int, multiple=True, help="This delivery; may be repeated.")
@click.option("--ticket", metavar="SOURCE_SYSTEM:TICKET_ID", help="Of this ticket.")
@click.option("--since", metavar="WHEN", help="Delivered or given up then or later: 2h, 3d, 2026-11-24, 2026-11-24T08:30.")
@click.option("--until", metavar="WHEN", help="Before.")
@WHY
@BY
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def replay(name: str, *, why: str, by: str, as_json: bool, **chosen: Any) -> None:
    """Send messages again under the same webhook-id: of each ticket the newest one only, so that no state is undone."""
    from ops.outbound import webhook_desk

    _named(name)
    if not any(chosen.values()):
        raise click.UsageError("say which: --dead, --id, --ticket, --since or --until")
    with _warehouse() as url:
        again, superseded = webhook_desk.replay(url, name, _selection(**chosen), by or getpass.getuser(), why)
    if as_json:
        click.echo(json.dumps({"subscription": name, "again": again, "superseded": superseded}))
    else:
        stay = f"; {superseded:,} stay, a newer state of their ticket was sent" if superseded else ""
        click.echo(f"{name}: {again:,} messages are sent again{stay}")


def _switch(command: str, state: str, said: str) -> Callable[..., None]:
    @webhooks.command(command, help=f"{said} What waits is kept, up to the subscription's give_up_after.")
    @click.argument("name")
    @WHY
    @BY
    def switch(name: str, why: str, by: str) -> None:
        from ops.outbound import webhook_desk

        _named(name)
        with _warehouse() as url:
            if not webhook_desk.change_state(url, name, state, by or getpass.getuser(), why):
                _stop(f"{name} is in the file, but `cx outbound` has not taken it up yet: is it running?")
        click.echo(f"{name} is {state}")

    return switch


pause = _switch("pause", "paused", "Send nothing for now.")
resume = _switch("resume", "active", "Send again, at once, also to one that was disabled or left alone.")


@webhooks.command()
def secret() -> None:
    """Make a signing secret: 32 random bytes as whsec_… Keep it where the file says, and give it to the subscriber."""
    click.echo(f"whsec_{base64.b64encode(random.token_bytes(32)).decode()}")


def _subscriptions() -> "Sequence[Subscription]":
    from connectors.outbound.webhooks.subscription_file import SubscriptionsError
    from ops.outbound.webhooks import reader

    path = settings.load().webhooks
    if not path:
        _stop("CX_WEBHOOKS is not set: name a subscriptions file like connectors/outbound/webhooks/example.yml")
    try:
        return reader(Path(path))()
    except SubscriptionsError as error:
        _stop(str(error))


def _named(name: str) -> "Subscription":
    found = {one.name: one for one in _subscriptions()}
    if name not in found:
        _stop(f"there is no subscription {name!r}; known are {', '.join(found) or 'none'}")
    return found[name]


def _selection(ids: tuple[int, ...], ticket: str | None, since: str | None, until: str | None, dead: bool) -> Any:
    from ops.dead_letters.selection import BadSelection, parse_moment, parse_ticket
    from ops.outbound.webhook_desk import Selection

    now = datetime.now(UTC)
    try:
        begin, end = (parse_moment(text, now) if text else None for text in (since, until))
        return Selection(dead, ids, begin, end, parse_ticket(ticket) if ticket else None)
    except BadSelection as error:
        raise click.UsageError(str(error)) from error


def _described(one: "Subscription", row: dict[str, Any] | None) -> dict[str, Any]:
    """A subscription of the file beside what the service wrote of it."""
    from urllib.parse import urlsplit

    from connectors.outbound.webhooks.filter_syntax import render

    told = {"subscription": one.name, "host": urlsplit(one.url).netloc, "projection": one.projection}
    given = {**told, "filter": render(one.filter) if one.filter else None}
    if row is None:
        return {**given, "state": "not taken up yet", "trouble": True}
    trouble = row["state"] == "disabled" or row["circuit"] != "closed" or row["dead"] > 0
    return {**given, **row, "trouble": trouble}


def _line(row: dict[str, Any]) -> str:
    head = f"{row['subscription']:<28}{row['state']}"
    if "waiting" not in row:
        return f"{head}: is `cx outbound` running?"
    oldest = f", the oldest {row['oldest_seconds']:,.0f} s" if row["oldest_seconds"] else ""
    last = f"; last answer: {row['last_error']}" if row["trouble"] and row["last_error"] else ""
    why = f" ({row['why']})" if row["why"] else ""
    return (
        f"{head}{why}, circuit {row['circuit']}, {row['waiting']:,} waiting{oldest}, {row['dead']:,} given up,"
        f" {row['delivered']:,} delivered in the last days → {row['host']}{last}"
    )


@contextmanager
def _warehouse() -> "Iterator[str]":
    import psycopg

    try:
        yield settings.load().require("warehouse_url").warehouse_url
    except psycopg.OperationalError as error:
        _stop(f"the warehouse does not answer: {' '.join(str(error).split())}")
    except psycopg.errors.UndefinedTable:
        _stop("this warehouse has no webhook tables yet: `cx up` or `cx prepare` makes them")


def _stop(sentence: str) -> NoReturn:
    click.echo(f"cx webhooks: {sentence}", err=True)
    sys.exit(COULD_NOT_RUN)
