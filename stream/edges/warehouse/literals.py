"""Values as PostgreSQL reads them in text: arrays, and lines of COPY."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

Row = Sequence[Any]  # texts, numbers, times and nulls

# JSON is CSV to COPY once its quote and escape are named, as long as no control character was escaped (`\n`).
COPY_OPTIONS = r"""(format csv, null 'null', quote '"', escape '\')"""
_ESCAPED_CONTROL = re.compile(rb"\\[bfnrtu]")
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
    return b"".join(map(_copy_line, rows)) if _ESCAPED_CONTROL.search(lines) else lines


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
    """One row, a control character as itself between the quotes."""
    values = ["null" if value is None else f'"{str(value).translate(_ESCAPES)}"' for value in row]
    return (",".join(values) + "\n").encode()
