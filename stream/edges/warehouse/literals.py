"""Values as PostgreSQL reads them in text: arrays, and lines of COPY."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

Row = Sequence[Any]  # texts, numbers, times and nulls

# JSON is CSV to COPY once its quote and escape are named and control characters stand as themselves.
COPY_OPTIONS = r"""(format csv, null 'null', quote '"', escape '\')"""
_ESCAPED_CONTROL = re.compile(rb"\\[bfnrtu]")
_CONTROLS = {rb"\n": b"\n", rb"\r": b"\r", rb"\t": b"\t", rb"\b": b"\b", rb"\f": b"\f"}  # as JSON writes them; others as \u00..
_NEWLINE = ord("\n")
_encode_into = msgspec.json.Encoder(decimal_format="string").encode_into
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"'})


def array_literal(values: Iterable[str]) -> str:
    """A text array. Most hold nothing to escape, and one look at the whole says so."""
    texts = values if isinstance(values, list) else list(values)
    inner = '","'.join(texts)
    if "\\" in inner or inner.count('"') != 2 * max(len(texts) - 1, 0):
        inner = '","'.join([text.translate(_ESCAPES) for text in texts])
    return f'{{"{inner}"}}' if texts else "{}"


def numbers_literal(values: Iterable[int]) -> str:
    """An array of integers."""
    return "{" + ",".join(map(str, values)) + "}"


def copy_lines(rows: Sequence[Row]) -> bytes:
    """Rows as COPY takes them with COPY_OPTIONS."""
    lines = _json_lines(rows)
    if not _ESCAPED_CONTROL.search(lines):
        return lines
    lines = lines.replace(rb"\\", b"\0")  # an escaped backslash is no escape; JSON holds no NUL of its own
    for escaped, control in _CONTROLS.items():
        lines = lines.replace(escaped, control)
    return b"".join(map(_copy_line, rows)) if rb"\u" in lines else lines.replace(b"\0", rb"\\")


def _json_lines(rows: Iterable[Row]) -> bytes:
    """Each row as a JSON array without its brackets: the next one's start overwrites the bracket that closes a row."""
    lines = bytearray(b"\n")
    for row in rows:
        start = len(lines) - 1
        _encode_into(row, lines, start)
        lines[start] = _NEWLINE
    lines[-1] = _NEWLINE
    return bytes(memoryview(lines)[1:])


def _copy_line(row: Row) -> bytes:
    """One row, written without JSON: for batches with a control character that has no short name."""
    values = ["null" if value is None else f'"{str(value).translate(_ESCAPES)}"' for value in row]
    return (",".join(values) + "\n").encode()
