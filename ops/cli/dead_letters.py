"""`cx dead-letters`: records that could not be applied: list, show, replay, discard."""

import getpass
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from ops.cli import BAD_DATA, COULD_NOT_RUN, GOOD

if TYPE_CHECKING:
    from ops.dead_letters.audit import Done, Who
    from ops.dead_letters.selection import Selection

STATUSES = ("open", "replayed", "discarded", "resolved", "erased", "any")


@click.group(name="dead-letters")
def dead_letters() -> None:
    """Records that could not be applied: what they are, and what becomes of them.

    Nothing leaves the table: a letter is open until it is replayed, discarded, resolved by the stream, or erased with its
    ticket; ops.dead_letter_actions keeps who did what, and why.
    """


def selecting(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which letters are meant; all given ones must hold."""
    for option in reversed((
        click.option("--id", "ids", type=int, multiple=True, help="This letter, whatever its status; may be repeated."),
        click.option("--reason", "reasons", multiple=True, help="Of this reason, e.g. unknown_enum_value; may be repeated."),
        click.option("--ticket", metavar="SOURCE_SYSTEM:TICKET_ID", help="Letters of this ticket."),
        click.option("--since", metavar="WHEN", help="Seen then or later: 2h, 3d, 2026-11-24, 2026-11-24T08:30."),
        click.option("--until", metavar="WHEN", help="First seen before."),
        click.option("--status", type=click.Choice(STATUSES), default="open", show_default=True),
        click.option("--all", "everything", is_flag=True, help="All letters of the status."),
    )):  # fmt: skip
        command = option(command)
    return command


@dead_letters.command("list")
@selecting
@click.option("--limit", default=50, show_default=True, help="Show so many of the newest; the counts are of all.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def list_letters(*, limit: int, as_json: bool, **chosen: Any) -> None:
    """Letters, the newest first, and how many there are of each reason."""
    from ops.dead_letters import listing, reading

    selection = _selection(**chosen)
    with _understood(), _warehouse() as connection:
        counts, letters = reading.counts(connection, selection), reading.newest(connection, selection, limit)
    if as_json:
        click.echo(json.dumps(listing.document(letters, counts), default=str, indent=2))
    else:
        click.echo("\n".join(listing.table(letters, counts)))


@dead_letters.command()
@click.argument("dead_letter_id", type=int)
@click.option("--raw", is_flag=True, help="Only the record's value, byte by byte.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def show(dead_letter_id: int, raw: bool, as_json: bool) -> None:
    """One letter: the record, why it could not be applied, where it came from, what to do, what was done."""
    from ops.dead_letters import listing, reading
    from ops.dead_letters.replay import expectation
    from stream.worker import read_policy

    with _understood(), _warehouse() as connection:
        letters, trail = reading.whole(connection, [dead_letter_id]), reading.trail(connection, dead_letter_id)
    if not letters:
        _stop(f"there is no dead letter {dead_letter_id}: see `cx dead-letters list --status any`")
    [letter] = letters
    if raw:
        click.get_binary_stream("stdout").write(letter.payload or b"")
    elif as_json:
        click.echo(json.dumps({**listing.plain(letter), "actions": trail}, default=str, indent=2))
    else:
        click.echo("\n".join(listing.page(letter, trail, expectation(letter, read_policy()))))


@dead_letters.command()
@selecting
@click.option("--set", "settings_", metavar="FIELD=VALUE", multiple=True, help="Edit before; custom_metrics.NAME=VALUE works.")
@click.option("--why", default="", help="A note for the audit trail.")
@click.option("--by", help="Who acts; default: your login name.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def replay(*, settings_: tuple[str, ...], why: str, by: str | None, as_json: bool, **chosen: Any) -> None:
    """Send letters through the rules again, at their original place in the source.

    A letter that has become applied, duplicate or stale is closed; one that is rejected again stays open. Running it
    again changes nothing. Exit code 0: all are closed; 1: some are not; 2: it could not run.
    """
    from ops.dead_letters.desk import replay_all
    from ops.dead_letters.edits import BadEdit, parse_assignment

    try:
        assignments = [parse_assignment(text) for text in settings_]
    except BadEdit as error:
        raise click.UsageError(str(error)) from error
    selection, url = _asked(_selection(**chosen)), _url()
    with _understood():
        done = replay_all(url, selection, assignments, _who(by, why), _tell(as_json))
    _finish(selection, done, as_json)


@dead_letters.command()
@selecting
@click.option("--why", required=True, help="Why these records are not wanted.")
@click.option("--by", help="Who acts; default: your login name.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def discard(*, why: str, by: str | None, as_json: bool, **chosen: Any) -> None:
    """Close letters without effect. They stay in the table, with the reason, and can still be replayed by --id."""
    from ops.dead_letters.desk import discard_all

    if not why.strip():
        raise click.UsageError("--why wants a reason")
    selection, url = _asked(_selection(**chosen)), _url()
    with _understood():
        done = discard_all(url, selection, _who(by, why), _tell(as_json))
    _finish(selection, done, as_json)


def _selection(
    *, ids: tuple[int, ...], reasons: tuple[str, ...], ticket: str | None, since: str | None, until: str | None, status: str,
    everything: bool,
) -> "Selection":  # fmt: skip
    from ops.dead_letters.selection import BadSelection, Selection, parse_moment, parse_reason, parse_ticket

    now = datetime.now(UTC)
    try:
        return Selection(
            ids=ids,
            reasons=tuple(map(parse_reason, reasons)),
            ticket=parse_ticket(ticket) if ticket else None,
            since=parse_moment(since, now) if since else None,
            until=parse_moment(until, now) if until else None,
            status=None if status == "any" else status,
            everything=everything,
        )
    except BadSelection as error:
        raise click.UsageError(str(error)) from error


def _asked(selection: "Selection") -> "Selection":
    if selection.is_empty:
        raise click.UsageError("say which letters: --id, --reason, --ticket, --since, --until or --all")
    return selection


def _tell(as_json: bool) -> "Callable[[Sequence[Done], int, int], None]":
    """Results as they come, on standard output; how far it is, on standard error."""

    def tell(results: "Sequence[Done]", done: int, total: int) -> None:
        for one in results if not as_json else ():
            click.echo(f"{one.dead_letter_id}: {one.outcome}" + (f" ({one.detail})" if one.detail else ""))
        if done < total:
            click.echo(f"{done:,} of {total:,}", err=True)

    return tell


def _finish(selection: "Selection", done: "Sequence[Done]", as_json: bool) -> None:
    from ops.dead_letters.outcomes import counted, document, is_good

    unknown = sorted(set(selection.ids) - {one.dead_letter_id for one in done})
    if unknown:
        _stop(f"no dead letter {', '.join(map(str, unknown))} fits: see `cx dead-letters list --status any`")
    if as_json:
        click.echo(json.dumps(document(done), indent=2))
    else:
        click.echo(counted(done), err=True)
    sys.exit(GOOD if is_good(done) else BAD_DATA)


def _who(by: str | None, why: str) -> "Who":
    from ops.dead_letters.audit import Who

    return Who(by or getpass.getuser(), why)


def _url() -> str:
    from ops import settings

    return settings.load().require("warehouse_url").warehouse_url


@contextmanager
def _warehouse() -> Iterator[Any]:
    import psycopg

    with psycopg.connect(_url(), connect_timeout=10) as connection:
        yield connection


@contextmanager
def _understood() -> Iterator[None]:
    """A warehouse that is away or not migrated is one sentence and exit code 2."""
    import psycopg

    from stream.errors import StreamError

    try:
        yield
    except StreamError as error:
        _stop(str(error))
    except psycopg.errors.UndefinedTable:
        _stop("the warehouse's schema is older than this version: `cx up` or `cx prepare` brings it up to date")
    except psycopg.Error as error:
        _stop(f"the warehouse does not answer: {' '.join(str(error).split())}")


def _stop(sentence: str) -> None:
    click.echo(f"cx dead-letters: {sentence}", err=True)
    sys.exit(COULD_NOT_RUN)
