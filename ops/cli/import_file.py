"""`cx import`: an export into the enrichment store."""

import dataclasses
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ops import settings
from ops.cli import BAD_DATA, COULD_NOT_RUN

if TYPE_CHECKING:
    from connectors.imports.run import Import, Progress, Report

PREVIEW_ROWS = 5


class Moment(click.ParamType):
    """An ISO time; without a zone it is UTC."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not an ISO time such as 2026-11-24T12:00:00Z", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--map", "mapping", required=True, help="A mapping file, or one that ships: sample, zendesk, airline_tweets.")
@click.option("--dry-run", is_flag=True, help="Check the file, show its first rows as they would be stored, write nothing.")
@click.option("--allow-rejects", is_flag=True, help="Exit with 0 although rows were rejected.")
@click.option("--rejects", type=click.Path(path_type=Path), help="Where rejected rows go.  [default: here, by FILE's name]")
@click.option("--end", type=Moment(), help="The instant that ages (age_seconds) count back from.  [default: now]")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def import_file(  # noqa: PLR0917 - click passes them by name
    file: Path, mapping: str, dry_run: bool, allow_rejects: bool, rejects: Path | None, end: datetime | None, as_json: bool
) -> None:
    """Write a CSV or JSONL export into the enrichment store.

    Run twice it changes nothing. A row that cannot be read goes to the rejects file, the others are written; exit code 1 says
    so. A file that is damaged or does not fit the mapping is refused before anything is written: exit code 2.
    The mapping file is described in connectors/README.md.
    """
    from connectors.imports.errors import ImportRefused, StoreUnavailable

    rejects = rejects or Path(f"{file.stem}.rejects{file.suffix}")
    try:
        with _prepared(file, mapping, dry_run, end or datetime.now(UTC)) as prepared, _progress(file) as progress:
            prepared.survey(progress)
            if dry_run:
                sys.exit(_show_preview(prepared, allow_rejects, as_json))
            report = prepared.run(rejects, progress)
    except ImportRefused as error:
        click.echo(f"cx import: nothing written: {error}", err=True)
        sys.exit(COULD_NOT_RUN)
    except StoreUnavailable as error:
        click.echo(f"cx import: the enrichment store (CX_STORE_URL): {error}", err=True)
        sys.exit(COULD_NOT_RUN)
    except OSError as error:
        click.echo(f"cx import: {error.filename or file}: {error.strerror or error}", err=True)
        sys.exit(COULD_NOT_RUN)
    _show(report, as_json)
    if report.rejected and not allow_rejects:
        sys.exit(BAD_DATA)


@contextmanager
def _prepared(file: Path, mapping_name: str, dry_run: bool, end: datetime) -> "Iterator[Import]":
    from connectors.imports import mapping_file
    from connectors.imports.run import Import

    mapping = mapping_file.load(mapping_file.find(mapping_name))
    looks_up = mapping.taxonomy is not None and mapping.taxonomy.from_store
    known = settings.load()
    store_url = known.require("store_url").store_url if looks_up or not dry_run else None
    prepared = Import(file, mapping, store_url, end)
    try:
        yield prepared
    finally:
        prepared.close()


@contextmanager
def _progress(file: Path) -> "Iterator[Progress]":
    """A bar on the terminal's error stream; nothing when that is not a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    from connectors.imports.run import Progress

    shown = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Bar(*shown, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=file.stat().st_size)
        yield Progress(
            phase=lambda name: bar.reset(task, description=f"{name} {file.name}"),
            at=lambda read: bar.update(task, completed=read),
        )


def _show(report: "Report", as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report), ensure_ascii=False))
        return
    for reject in report.first_rejects:
        click.echo(_reject_line(reject), err=True)
    if report.rejects_file:
        click.echo(f"{report.rejected:,} rejected rows are in {report.rejects_file}", err=True)
    rate = report.read / report.seconds if report.seconds else 0
    click.echo(
        f"{report.read:,} rows read: {report.written:,} written, {report.unchanged:,} unchanged, "
        f"{report.older:,} older than stored, {report.rejected:,} rejected; "
        f"{report.accounts_written:,} accounts and {report.tags_written:,} tags written "
        f"({report.seconds:.1f} s, {rate:,.0f} rows/s)"
    )


def _reject_line(reject: dict[str, object]) -> str:
    column = f" column {reject['column']}: {str(reject['value'])[:80]!r}" if reject["column"] else ""
    return f"{reject['file']}:{reject['line']}:{column} {reject['reason']}"


def _show_preview(prepared: "Import", allow_rejects: bool, as_json: bool) -> int:
    """Print the first rows; the exit code."""
    from connectors.imports.conversion import Rejection

    rows = prepared.preview(PREVIEW_ROWS)
    rejected = any(isinstance(row, Rejection) for row in rows)
    for row in rows:
        stored = {"rejected": dataclasses.asdict(row)} if isinstance(row, Rejection) else {"stored": row.as_stored()}
        click.echo(json.dumps(stored, ensure_ascii=False, default=str, indent=None if as_json else 2))
    if not as_json:
        click.echo("dry run: nothing written", err=True)
    return BAD_DATA if rejected and not allow_rejects else 0
