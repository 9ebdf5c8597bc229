"""One import from first to last: survey, convert, write in bounded transactions, count."""

import csv
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from connectors.imports import columns, reading, survey, writing
from connectors.imports.conversion import Conversion, Rejection, Signal
from connectors.imports.mapping import Mapping
from connectors.imports.occurrences import Occurrences
from connectors.imports.reading import Broken, CsvSource
from connectors.imports.references import References
from connectors.imports.rejects import RejectsFile
from connectors.imports.writing import Item, StoreWriter, Written

BATCH_ROWS = 5000  # per transaction: Debezium sees a change only after its commit
SHOWN_REJECTS = 10


@dataclass
class Report:
    """Counts of an import. Every row read is written, unchanged, older, or rejected."""

    file: str
    mapping: str
    read: int = 0
    written: int = 0
    unchanged: int = 0
    older: int = 0
    rejected: int = 0
    accounts_written: int = 0
    tags_written: int = 0
    rejects_file: str | None = None
    seconds: float = 0.0
    first_rejects: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Progress:
    """What a caller may show: a phase begins; so many bytes of the file were read."""

    phase: Callable[[str], None] = lambda _: None
    at: Callable[[int], None] = lambda _: None


class Import:
    """A file with its mapping, checked and compiled; nothing is written before `run`.

    Args:
        path: the export.
        store_url: postgresql:// address; None is enough for a dry run whose taxonomy is not in the store.
        end: the instant that ages count back from.

    Raises:
        ImportRefused, StoreUnavailable.
    """

    def __init__(self, path: Path, mapping: Mapping, store_url: str | None, end: datetime) -> None:
        survey.require_readable(path)
        self.path, self.mapping = path, mapping
        self.source = reading.source(path, mapping.format, mapping.delimiter)
        self.header = survey.require_header(self.source, mapping) if isinstance(self.source, CsvSource) else None
        self._engine = writing.connect(store_url) if store_url else None
        self._references = References(mapping, self._engine)
        occurrence = mapping.fields.version.occurrence
        self._occurrences = Occurrences(each=occurrence == "each") if occurrence else None
        self._conversion = Conversion(mapping, self.header, self._references.lookup, end)

    def survey(self, progress: Progress) -> None:
        """Read the whole file once and raise FileRefused when it cannot be trusted."""
        progress.phase("checking")
        survey.survey(self.source, self.mapping, self._conversion, self._occurrences, progress.at)

    def preview(self, rows: int) -> list[Signal | Rejection]:
        """The first rows as they would be stored."""
        return [each.signal if isinstance(each, Item) else each for each in itertools.islice(self._items(Progress()), rows)]

    def run(self, rejects: Path, progress: Progress) -> Report:
        """Write the file into the store and every row that cannot be read into `rejects`."""
        assert self._engine is not None, "an import needs the store's address"  # noqa: S101
        report, started = Report(str(self.path), self.mapping.path), time.monotonic()
        writer = StoreWriter(self._engine, self._with_version if self._occurrences else None, self._compared())
        progress.phase("writing")
        report.accounts_written, report.tags_written = self._references.write(writer)
        with RejectsFile(rejects, self.header, self._split) as file:
            for batch, outcome in self._written(progress, writer):
                self._count(batch, outcome, report, file)
        report.rejects_file = str(rejects) if report.rejected else None
        report.seconds = round(time.monotonic() - started, 2)
        return report

    def close(self) -> None:
        """Give back the connection and the temporary counts."""
        if self._engine:
            self._engine.dispose()
        if self._occurrences:
            self._occurrences.close()

    def _items(self, progress: Progress) -> Iterator[Item | Rejection]:
        number = self._occurrences.number if self._occurrences else None
        for row in self.source.rows(progress.at):
            if isinstance(row, Broken):
                yield Rejection(row.line, "", "", row.reason, row.text)
                continue
            converted = self._conversion.convert(row, number)
            yield converted if isinstance(converted, Rejection) else Item(row, converted)

    def _written(self, progress: Progress, writer: StoreWriter) -> Iterator[tuple[list[Item | Rejection], Written]]:
        """Batches with what became of them: while the store takes one, the next is converted."""
        with ThreadPoolExecutor(max_workers=1) as store:
            pending: tuple[list[Item | Rejection], Future[Written]] | None = None
            for batch in _batches(self._items(progress)):
                if pending:
                    yield pending[0], pending[1].result()
                pending = batch, store.submit(self._write, batch, writer)
            if pending:
                yield pending[0], pending[1].result()

    def _write(self, batch: Sequence[Item | Rejection], writer: StoreWriter) -> Written:
        items = [each for each in batch if isinstance(each, Item)]
        accounts = self._references.write_accounts_of((item.signal for item in items), writer)
        outcome = writer.write(items) if items else Written()
        outcome.accounts = accounts
        return outcome

    def _count(self, batch: Sequence[Item | Rejection], outcome: Written, report: Report, rejects: RejectsFile) -> None:
        rejections = [each for each in batch if isinstance(each, Rejection)] + outcome.rejections
        for rejection in sorted(rejections, key=lambda each: each.line):
            rejects.add(rejection)
            report.first_rejects += [_shown(self.path, rejection)] if len(report.first_rejects) < SHOWN_REJECTS else []
        report.read += len(batch)
        report.written += outcome.written
        report.unchanged += outcome.unchanged
        report.older += outcome.older
        report.rejected += len(rejections)
        report.accounts_written += outcome.accounts

    def _with_version(self, item: Item, version: int) -> Signal:
        return self._conversion.with_version(item.signal, item.row, version)

    def _compared(self) -> list[str]:
        """The columns that say whether content is the same: an age tells a time only roughly, so it is not compared."""
        left_out = {*columns.DERIVED, "source_system", "ticket_id"}
        if not self._occurrences:
            left_out.discard("idempotency_key")
        if self.mapping.fields.occurred_at.time == "age_seconds":
            left_out.add("occurred_at")
        return [name for name in columns.TICKET_COLUMNS if name not in left_out]

    def _split(self, text: str) -> list[str]:
        try:
            return next(csv.reader([text], delimiter=self.mapping.delimiter), [])
        except csv.Error:
            return []


def _shown(path: Path, rejection: Rejection) -> dict[str, Any]:
    place = {"file": str(path), "line": rejection.line, "column": rejection.column}
    return {**place, "value": rejection.value, "reason": rejection.reason}


def _batches(items: Iterator[Item | Rejection]) -> Iterator[list[Item | Rejection]]:
    while batch := list(itertools.islice(items, BATCH_ROWS)):
        yield batch
