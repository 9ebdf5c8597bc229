"""The mapping: what each column of an export means. Frozen values; connectors/README.md explains every key."""

import string
from pathlib import Path
from typing import Literal

import msgspec


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
