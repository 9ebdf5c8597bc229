"""Finds, reads and checks a mapping file: every complaint names the file, the key and what to write instead."""

import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import yaml

from connectors.imports.errors import MappingError
from connectors.imports.mapping import Accounts, Field, Fields, Mapping, Tag, Taxonomy, named_fields, placeholders

SHIPPED = Path(__file__).resolve().parent.parent / "mappings"


def find(name: str) -> Path:
    """The mapping file called `name`: a path, or the name of one that ships (`sample`, `zendesk`, `airline_tweets`)."""
    path = Path(name)
    if path.is_file():
        return path
    shipped = SHIPPED / f"{name.removesuffix('.yml')}.yml"
    if shipped.is_file():
        return shipped
    known = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.yml")))
    raise MappingError(name, "", f"no such mapping file; give a path, or one that ships: {known}")


def load(path: Path) -> Mapping:
    """Read and check a mapping file (.yml, .yaml, .toml).

    Raises:
        MappingError: names the file, the key and what to write instead.
    """
    document = _parse(path)
    try:
        mapping = msgspec.convert({**document, "path": str(path)}, Mapping, strict=False)
    except msgspec.ValidationError as error:
        raise MappingError(path, *_explain(str(error))) from None
    for key, advice in problems(mapping):
        raise MappingError(path, key, advice)
    return mapping


def _parse(path: Path) -> dict[str, Any]:
    """Every scalar as text: in plain YAML an unquoted yes, no, or 1.0 would silently become something else."""
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text) if path.suffix == ".toml" else yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(path, "", f"cannot be read: {error}") from None
    except (yaml.YAMLError, tomllib.TOMLDecodeError) as error:
        raise MappingError(path, "", f"is not valid {'TOML' if path.suffix == '.toml' else 'YAML'}: {error}") from None
    if not isinstance(document, dict):
        raise MappingError(path, "", "must hold keys such as `fields:`; see connectors/README.md")
    return {str(key): _as_text(value) for key, value in document.items()}


def _as_text(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _as_text(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_text(inner) for inner in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def _explain(message: str) -> tuple[str, str]:
    """Turn msgspec's sentence into (key, advice)."""
    reason, _, path = message.partition(" - at `")
    key = path.rstrip("`").removeprefix("$").removeprefix(".").replace("[...]", ".*")
    unknown = re.search(r"unknown field `([^`]*)`", reason)
    if unknown:
        return f"{key}.{unknown[1]}".lstrip("."), _suggest(unknown[1], key)
    missing = re.search(r"missing required field `([^`]*)`", reason)
    if missing:
        return f"{key}.{missing[1]}".lstrip("."), "is missing; write `{column: its name in the file}` or `{constant: value}`"
    return key, reason[0].lower() + reason[1:]


def _suggest(wrong: str, parent: str) -> str:
    sections: dict[str, type[msgspec.Struct]] = {"": Mapping, "fields": Fields, "taxonomy": Taxonomy, "accounts": Accounts}
    struct = Tag if parent.startswith("taxonomy.tags") else sections.get(parent, Field)
    known = [name for name in struct.__struct_fields__ if name != "path"]
    near = difflib.get_close_matches(wrong, known, n=1)
    return f"unknown key; did you mean `{near[0]}`?" if near else f"unknown key; known are: {', '.join(known)}"


def problems(mapping: Mapping) -> Iterable[tuple[str, str]]:
    """What the types cannot say, as (key, advice)."""
    for key, field in named_fields(mapping).items():
        given = [name for name in ("column", "constant", "template", "occurrence") if getattr(field, name) is not None]
        if len(given) != 1:
            yield key, f"write exactly one of column, constant, template (found: {', '.join(given) or 'none'})"
        if field.occurrence and key != "fields.version":
            yield f"{key}.occurrence", "only `fields.version` can count occurrences; write `column:` or `constant:`"
        if field.otherwise is not None and field.values is None:
            yield f"{key}.otherwise", "needs `values:`; for a null column write `when_null:`"
        yield from _zone_problem(f"{key}.timezone", field.timezone)
        yield from _template_problem(f"{key}.template", field.template)
    yield from _zone_problem("timezone", mapping.timezone)
    if mapping.fields.occurred_at.time is None:
        yield "fields.occurred_at.time", 'say how times are written: iso, epoch_seconds, or a format such as "%d.%m.%Y %H:%M"'
    if len(mapping.delimiter) != 1:
        yield "delimiter", 'must be one character, for instance ";" or "\\t" in double quotes'
    for key, section in (("taxonomy.file", mapping.taxonomy), ("accounts.file", mapping.accounts)):
        if section and section.file and not mapping.beside(section.file).is_file():
            yield key, f"no such file: {mapping.beside(section.file)}"


def _zone_problem(key: str, name: str | None) -> Iterable[tuple[str, str]]:
    try:
        if name is not None:
            ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        yield key, f"unknown time zone {name!r}; write a name such as Europe/Berlin or UTC"


def _template_problem(key: str, template: str | None) -> Iterable[tuple[str, str]]:
    try:
        if template is not None and not all(placeholders(template)):
            yield key, "empty braces; write the name of a column between them"
    except ValueError as error:
        yield key, f"{error}; write braces in pairs, {{{{ for a literal one"
