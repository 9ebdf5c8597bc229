"""Projections: files that name the fields which leave. What a file does not name stays; the quote cannot be named."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml

DIRECTORY = Path(__file__).parent
FILES = ("signal", "crm", "ops")
NEVER = frozenset({"evidence_quote"})  # customers' words stay in the warehouse
IDENTITY = ("source_system", "ticket_id")
REQUIRED = frozenset({*IDENTITY, "idempotency_key", "version", "evidence_url"})
SHORTEST_NOTICE = timedelta(days=90)
_NAME = re.compile(r"[a-z][a-z_]*\Z")
_VERSION = re.compile(r"[1-9]\d*\.\d+\.\d+\Z")


class ProjectionError(Exception):
    """A projection file cannot be used; the message names the file and what to change."""


@dataclass(frozen=True)
class Deprecation:
    """A field that goes: since when that is known, until when it stays, what to use instead."""

    since: date
    removed_after: date
    use: str


@dataclass(frozen=True)
class Projection:
    """One topic and the fields of its values, in their order. `version` is the contract's, major.minor.patch."""

    title: str
    topic: str
    version: str
    description: str
    fields: tuple[str, ...]
    deprecated: Mapping[str, Deprecation]

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    def value(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The named fields of a row, and nothing else."""
        return {name: row[name] for name in self.fields}


def shipped() -> tuple[Projection, ...]:
    """The projections of this folder, the canonical one first."""
    return tuple(read(DIRECTORY / f"{name}.yml") for name in FILES)


def read(path: Path) -> Projection:
    """Read one file. Raises ProjectionError."""
    try:
        return parse(yaml.safe_load(path.read_text()))
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise ProjectionError(f"{path.name} cannot be read: {error}") from error
    except ProjectionError as error:
        raise ProjectionError(f"{path.name}: {error}") from None


def parse(document: Mapping[str, Any]) -> Projection:
    """A projection from its document. Raises ProjectionError when it would let out what must stay or omits what is needed."""
    fields, version = tuple(document["fields"]), str(document["version"])
    if not _VERSION.match(version):
        raise ProjectionError(f"version {version!r} is not major.minor.patch")
    if bad := [name for name in fields if not _NAME.match(name)]:
        raise ProjectionError(f"{bad[0]!r} is not a field's name")
    if quoted := sorted(NEVER & set(fields)):
        raise ProjectionError(f"{quoted[0]} never leaves the warehouse")
    if missing := sorted(REQUIRED - set(fields)):
        raise ProjectionError(f"{', '.join(missing)} must be among the fields: consumers tell records apart by them")
    if len(set(fields)) != len(fields):
        raise ProjectionError("a field is named twice")
    deprecated = {name: _deprecation(name, entry) for name, entry in (document.get("deprecated") or {}).items()}
    if strange := sorted(set(deprecated) - set(fields)):
        raise ProjectionError(f"{strange[0]} is deprecated but not a field")
    return Projection(document["title"], document["topic"], version, document["description"], fields, deprecated)


def _deprecation(name: str, entry: Mapping[str, Any]) -> Deprecation:
    since, until = entry.get("since"), entry.get("removed_after")
    if not isinstance(since, date) or not isinstance(until, date):
        raise ProjectionError(f"{name} is deprecated without dates: say since and removed_after")
    if until - since < SHORTEST_NOTICE:
        raise ProjectionError(f"{name} would go within {SHORTEST_NOTICE.days} days of its deprecation")
    return Deprecation(since, until, str(entry.get("use", "")))
