"""What raw tags mean: lookups by tag, from the mapping, a file beside it, or the store. Pure but for reading the file."""

import csv
from collections.abc import Iterable
from collections.abc import Mapping as Object
from pathlib import Path

from connectors.imports.errors import MappingError, Unreadable
from connectors.imports.mapping import Tag, Taxonomy


class Lookup:
    """Finds the canonical tag and driver of a ticket by the first of its raw tags that the taxonomy knows."""

    def __init__(self, tags: Object[str, Tag], reject_unmapped: bool) -> None:
        self._tags, self._reject = tags, reject_unmapped

    def find(self, raw_tags: Iterable[str]) -> Tag | None:
        """The tag's meaning; None without tags, or when none is known and that is allowed."""
        unknown = None
        for raw_tag in raw_tags:
            if tag := self._tags.get(raw_tag):
                return tag
            unknown = unknown or raw_tag
        if unknown and self._reject:
            raise Unreadable("raw_tags", unknown, "is not in the taxonomy; add it to `taxonomy.tags`")
        return None


def tags_of(taxonomy: Taxonomy, file: Path | None) -> dict[str, Tag]:
    """Tags of the taxonomy's file, overridden by those written in the mapping."""
    return {**(_read_file(file) if file else {}), **taxonomy.tags}


def _read_file(file: Path) -> dict[str, Tag]:
    rows = read_table(file, ("raw_tag", "canonical_tag", "driver"))
    return {row["raw_tag"]: Tag(row["canonical_tag"], row["driver"], row.get("owner") or None) for row in rows}


def read_table(file: Path, required: Iterable[str]) -> list[dict[str, str]]:
    """Rows of a small CSV beside the mapping; MappingError when it lacks a column."""
    with file.open(encoding="utf-8-sig", newline="") as opened:
        reader = csv.DictReader(opened)
        missing = [name for name in required if name not in (reader.fieldnames or ())]
        if missing:
            raise MappingError(file, "", f"the header lacks {', '.join(missing)}")
        return list(reader)
