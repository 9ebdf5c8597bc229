"""The first pass over a file, before anything is written: is it what the mapping says, and can its identities be trusted?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from connectors.imports.conversion import Conversion
from connectors.imports.encoding import require_utf8
from connectors.imports.errors import FileRefused, Unreadable
from connectors.imports.identity import Damage
from connectors.imports.mapping import Mapping, source_columns
from connectors.imports.occurrences import Occurrences
from connectors.imports.reading import Broken, CsvSource, JsonlSource, Row

UNREADABLE_SHARE = 0.5  # of rows that are none at all: the wrong format, rather than a few bad lines


@dataclass
class Survey:
    """Counts of the first pass."""

    rows: int = 0
    broken: int = 0
    first_broken: Broken | None = None


def require_readable(path: Path) -> None:
    """Raise FileRefused for a file that is missing, empty, or not UTF-8 to its last byte."""
    if not path.is_file():
        raise FileRefused(f"{path}: no such file")
    if path.stat().st_size <= len(b"\xef\xbb\xbf"):
        raise FileRefused(f"{path}: is empty")
    require_utf8(path)


def require_header(source: CsvSource, mapping: Mapping) -> list[str]:
    """The header of a CSV file, which must hold every column of the mapping, once."""
    header = source.header()
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise FileRefused(f"{source.path}: line 1: the header names {', '.join(map(repr, repeated))} more than once")
    missing = {column: key for column, key in source_columns(mapping).items() if column not in header}
    if missing:
        raise FileRefused(f"{source.path}: line 1: {_missing(missing, header, source.delimiter)}")
    return header


def _missing(missing: dict[str, str], header: list[str], delimiter: str) -> str:
    other = next((mark for mark in ",;\t|" if mark != delimiter and header and mark in header[0]), None)
    if len(header) == 1 and other:
        return f"the header is one column, {header[0][:60]!r}; write `delimiter: {other!r}` in the mapping"
    column, key = next(iter(missing.items()))
    return f"no column {column!r}, which the mapping reads for {key}; the header has: {', '.join(header)}"


def survey(
    source: CsvSource | JsonlSource,
    mapping: Mapping,
    conversion: Conversion,
    occurrences: Occurrences | None,
    at: Callable[[int], None],
) -> Survey:
    """Read every row once; raise FileRefused when the file is not what the mapping says."""
    result, damage = Survey(), Damage(mapping.fields.ticket_id.column or "ticket_id")
    seen: dict[str, None] = {}
    for row in _rows(source, result, at):
        if isinstance(row.values, dict):
            seen.update(dict.fromkeys(row.values) if len(seen) < 1000 else ())
        try:
            source_system, ticket_id = conversion.identity(row)
        except Unreadable:
            continue
        damage.see(ticket_id, row.line)
        if occurrences:
            occurrences.announce(f"{source_system}\t{ticket_id}", row.text)
    _judge(source, mapping, result, damage, seen)
    return result


def _rows(source: CsvSource | JsonlSource, result: Survey, at: Callable[[int], None]) -> Iterator[Row]:
    for row in source.rows(at):
        result.rows += 1
        if isinstance(row, Row):
            yield row
        else:
            result.broken += 1
            result.first_broken = result.first_broken or row


def _judge(source: CsvSource | JsonlSource, mapping: Mapping, result: Survey, damage: Damage, seen: dict[str, None]) -> None:
    first = result.first_broken
    if result.rows == 0:
        raise FileRefused(f"{source.path}: holds no rows")
    if first and result.broken > UNREADABLE_SHARE * result.rows:
        share = f"{result.broken:,} of {result.rows:,} rows are not {source.format.upper()}"
        raise FileRefused(f"{source.path}: {share}; line {first.line}: {first.reason}")
    if source.format == "jsonl":
        _require_keys(source.path, mapping, seen)
    verdict = damage.verdict()
    if verdict and not mapping.trust_identity:
        raise FileRefused(f"{source.path}: {verdict}. Export it again as text, or write `trust_identity: true` in the mapping")


def _require_keys(path: Path, mapping: Mapping, seen: dict[str, None]) -> None:
    """A key that no object holds is a missing column; dotted names are looked for by their first part."""
    for column, key in source_columns(mapping).items():
        if column not in seen and column.split(".")[0] not in seen:
            raise FileRefused(f"{path}: no object has {column!r}, which the mapping reads for {key}; known: {', '.join(seen)}")
