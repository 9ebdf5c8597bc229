"""The mapping file: what each column of an export means. Read from YAML or TOML, checked, and frozen."""

import difflib
import re
import string
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import yaml

from connectors.imports.errors import MappingError

SHIPPED = Path(__file__).resolve().parent.parent / "mappings"


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where one column of the store comes from: exactly one of column, constant, template, occurrence."""

    column: str | None = None
    constant: str | None = None
    template: str | None = None  # "https://desk.example/tickets/{ticket_id}"
    occurrence: Literal["each", "changed"] | None = None  # version only
    values: dict[str, str] | None = None  # raw value -> stored value; "null" stores null
    ignore_case: bool = False  # for `values`
    unmapped: Literal["reject", "keep", "null"] = "reject"  # a value that `values` does not list
    otherwise: str | None = None  # stored for a value that `values` does not list
    when_null: str | None = None  # stored when the column is null
    nulls: list[str] | None = None  # instead of the mapping's null markers
    time: str | list[str] | None = None  # iso, epoch_seconds, epoch_milliseconds, age_seconds, or a strptime format
    timezone: str | None = None  # of times that carry none
    split: str | None = None  # raw_tags: what stands between tags
    type: Literal["text", "integer", "number", "boolean", "json"] = "text"  # custom_metrics
    validate: bool = True  # false: the store takes the value as it is, the stream judges it


class Fields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One Field per column of enrichment.ticket_signals; the names are the store's."""

    source_system: Field
    ticket_id: Field
    version: Field
    occurred_at: Field
    sentiment: Field
    churn_risk: Field
    effort: Field
    evidence_url: Field
    account_id: Field | None = None
    sentiment_score: Field | None = None
    raw_tags: Field | None = None
    canonical_tag: Field | None = None  # absent: looked up in the taxonomy by raw tag
    driver: Field | None = None  # absent: looked up in the taxonomy by raw tag
    evidence_quote: Field | None = None
    idempotency_key: Field = Field(template="{source_system}:{ticket_id}:{version}")
    event_id: Field | None = None  # absent: the uuid5 of the idempotency key


class Tag(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a raw tag means."""

    canonical_tag: str
    driver: str
    owner: str | None = None


class Taxonomy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How raw tags are looked up: later sources win over earlier ones (store, file, tags)."""

    tags: dict[str, Tag] = {}
    file: str | None = None  # CSV with raw_tag, canonical_tag, driver, owner; relative to the mapping file
    from_store: bool = False  # also look up in enrichment.tag_taxonomy
    unmapped: Literal["reject", "null"] = "null"  # a raw tag nobody knows
    write: Literal["missing", "all", "none"] = "missing"  # what goes into enrichment.tag_taxonomy


class Accounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which accounts go into enrichment.accounts."""

    file: str | None = None  # CSV with account_id, name, plan, segment, owner; relative to the mapping file
    name: Field | None = None  # from the row of a ticket; the first row that names the account decides
    plan: Field | None = None
    segment: Field | None = None
    owner: Field | None = None
    write: Literal["missing", "all", "none"] = "all"


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole mapping file. `path` is where it was read from."""

    fields: Fields
    description: str = ""
    format: Literal["csv", "jsonl"] | None = None  # absent: by the export's name
    delimiter: str = ","
    nulls: list[str] = msgspec.field(default_factory=lambda: [""])
    timezone: str | None = None  # of times that carry none; absent: such times are rejected
    clock_change: Literal["reject", "earlier", "later"] = "reject"  # local times that do not exist, or exist twice
    metrics: dict[str, Field] = {}  # custom_metrics
    taxonomy: Taxonomy | None = None
    accounts: Accounts | None = None
    trust_identity: bool = False  # true: import although the identity column looks damaged
    path: str = ""

    def beside(self, file: str) -> Path:
        """A file named in the mapping, relative to it."""
        return Path(self.path).parent / file


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
    leaf = parent.rsplit(".", 1)[-1]
    struct = {"": Mapping, "fields": Fields, "taxonomy": Taxonomy, "accounts": Accounts}.get(leaf, Field)
    known = [name for name in struct.__struct_fields__ if name != "path"]
    near = difflib.get_close_matches(wrong, known, n=1)
    return f"unknown key; did you mean `{near[0]}`?" if near else f"unknown key; known are: {', '.join(known)}"


def named_fields(mapping: Mapping) -> dict[str, Field]:
    """Every Field of the mapping by its key in the file."""
    found = {f"fields.{name}": getattr(mapping.fields, name) for name in Fields.__struct_fields__}
    found |= {f"metrics.{name}": field for name, field in mapping.metrics.items()}
    if mapping.accounts:
        found |= {f"accounts.{name}": getattr(mapping.accounts, name) for name in ("name", "plan", "segment", "owner")}
    return {key: field for key, field in found.items() if field is not None}


def placeholders(template: str) -> list[str]:
    """The names between braces in a template."""
    return [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]


def source_columns(mapping: Mapping) -> dict[str, str]:
    """Columns of the export that the mapping reads, each with the key that reads it."""
    resolved = {"source_system", "ticket_id", "version"}
    columns: dict[str, str] = {}
    for key, field in named_fields(mapping).items():
        names = [field.column] if field.column else placeholders(field.template or "")
        for name in names:
            if field.column or name not in resolved:
                columns.setdefault(str(name), key)
    return columns


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
