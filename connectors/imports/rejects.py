"""The rejects file: every row that was not stored, whole, with its place and reason."""

import csv
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import msgspec

from connectors.imports.conversion import Rejection

ADDED = ("cx_line", "cx_column", "cx_value", "cx_reason", "cx_row")


class RejectsFile:
    """Created with the first rejection; an older file of that name is replaced by then.

    CSV: the original columns, then cx_line, cx_column, cx_value, cx_reason and the row's original text, so that the corrected
    file can be imported with the same mapping. JSONL: the same keys, one object per line.
    """

    def __init__(self, path: Path, header: list[str] | None, split: Callable[[str], list[str]]) -> None:
        self.path, self.count = path, 0
        self._header, self._split = header, split

    def __enter__(self) -> "RejectsFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.count:
            self._file.close()

    def add(self, rejection: Rejection) -> None:
        """Append one row."""
        if self.count == 0:
            self._open()
        self.count += 1
        added = (rejection.line, rejection.column, rejection.value, rejection.reason, rejection.text.rstrip("\r\n"))
        if self._header is None:
            self._file.write(msgspec.json.encode(dict(zip(ADDED, added, strict=True))).decode() + "\n")
        else:
            cells = self._split(rejection.text)[: len(self._header)]
            self._csv.writerow([*cells, *[""] * (len(self._header) - len(cells)), *added])

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("w", encoding="utf-8", newline="")
        self._csv = csv.writer(self._file)
        if self._header is not None:
            self._csv.writerow([*self._header, *ADDED])
