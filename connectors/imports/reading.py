"""Rows of a CSV or JSONL file, each with its physical line and its original text, in constant memory."""

import csv
import io
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from connectors.imports.errors import FileRefused

LONGEST_LINE = 16 * 1024 * 1024  # characters; longer is not an export but a missing line end
TOLD_EVERY = 1000  # rows between two reports of progress
csv.field_size_limit(LONGEST_LINE)


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `values` is a list in header order (CSV) or an object (JSONL); `line` is where it starts, from 1."""

    line: int
    values: list[str] | dict[str, Any]
    text: str


@dataclass(frozen=True, slots=True)
class Broken:
    """Text that is not a row at all."""

    line: int
    text: str
    reason: str


class Lines:
    """The physical lines of an open file; remembers the text since `take` was last called."""

    def __init__(self, file: io.TextIOWrapper) -> None:
        self._file, self._pending, self._read = file, list[str](), 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        self._read += 1
        if len(line) == LONGEST_LINE:
            raise FileRefused(f"line {self._read} is longer than {LONGEST_LINE:,} characters: is this really CSV or JSONL?")
        self._pending.append(line)
        return line

    def take(self) -> tuple[int, str]:
        """(first line, text) of what was read since the last call."""
        text, first = "".join(self._pending), self._read - len(self._pending) + 1
        self._pending.clear()
        return first, text


@dataclass(frozen=True)
class CsvSource:
    """A CSV file with a header."""

    path: Path
    delimiter: str = ","
    format: str = "csv"

    def header(self) -> list[str]:
        """Column names, as written in the first row."""
        with _open(self.path) as file:
            try:
                return next(csv.reader(Lines(file), delimiter=self.delimiter, strict=True), [])
            except csv.Error as error:
                raise FileRefused(f"{self.path}: line 1: the header cannot be read: {error}") from None

    def rows(self, at: Callable[[int], None] = lambda _: None) -> Iterator[Row | Broken]:
        """Every row after the header; `at` hears how many bytes were read."""
        width = len(self.header())
        with _open(self.path) as file:
            lines = Lines(file)
            reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
            next(reader)
            lines.take()
            for number in itertools.count():
                row = self._next(reader, lines, width)
                if row is None:
                    return
                if number % TOLD_EVERY == 0:
                    at(file.tell_bytes())
                if not isinstance(row, Row) or row.values:
                    yield row

    def _next(self, reader: Any, lines: Lines, width: int) -> Row | Broken | None:
        try:
            values = next(reader)
        except StopIteration:
            return None
        except csv.Error as error:
            line, text = lines.take()
            if "unexpected end of data" in str(error):
                raise FileRefused(f"{self.path}: line {line}: a quote that opens here is never closed") from None
            return Broken(line, text, f"not valid CSV: {error}")
        line, text = lines.take()
        if values and len(values) != width:
            return Broken(line, text, f"has {len(values)} fields, the header has {width}")
        return Row(line, values, text)


@dataclass(frozen=True)
class JsonlSource:
    """One JSON object per line."""

    path: Path
    format: str = "jsonl"

    def rows(self, at: Callable[[int], None] = lambda _: None) -> Iterator[Row | Broken]:
        """Every object; blank lines are passed over."""
        with _open(self.path) as file:
            lines = Lines(file)
            for number, _ in enumerate(lines):
                line, text = lines.take()
                if number % TOLD_EVERY == 0:
                    at(file.tell_bytes())
                if text.strip():
                    yield _decode(line, text)


def _decode(line: int, text: str) -> Row | Broken:
    try:
        return Row(line, msgspec.json.decode(text, type=dict[str, Any]), text)
    except msgspec.ValidationError:
        return Broken(line, text, "is not a JSON object")
    except msgspec.DecodeError as error:
        return Broken(line, text, f"not valid JSON: {error}")


class _CountedText(io.TextIOWrapper):
    """Text whose progress can be asked for while it is read (`tell` of a text file cannot)."""

    def __init__(self, binary: io.BufferedReader) -> None:
        super().__init__(binary, encoding="utf-8-sig", newline="")
        self.tell_bytes = binary.tell


def _open(path: Path) -> _CountedText:
    return _CountedText(path.open("rb"))


def source(path: Path, format: str | None, delimiter: str) -> CsvSource | JsonlSource:
    """The reader for a file: by `format`, or by the name's end (.csv, .tsv, .jsonl, .ndjson)."""
    by_name = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
    chosen = format or by_name.get(path.suffix.lower())
    if chosen is None:
        raise FileRefused(f"{path}: CSV or JSONL? Write `format: csv` or `format: jsonl` in the mapping")
    return CsvSource(path, delimiter) if chosen == "csv" else JsonlSource(path)
