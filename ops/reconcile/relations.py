"""What is compared: the columns of each table as SQL expressions that mean the same in the store and in the warehouse. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ops.reconcile import mapped
from stream.core.own_store import OwnTable, StoreMapping

# Types whose values compare the same after a cast to the contract's type; any other pair is compared as text.
_LOSSLESS = {
    "text": {"text", "character varying", "character", "name"},
    "bigint": {"smallint", "integer", "bigint"},
    "numeric": {"smallint", "integer", "bigint", "numeric"},
    "text[]": {"text[]", "character varying[]"},
    "jsonb": {"json", "jsonb"},
    "uuid": {"uuid"},
    "timestamp with time zone": {"timestamp with time zone"},
}
_EMPTY = {"raw_tags": "'{}'::text[]", "custom_metrics": "'{}'::jsonb"}


@dataclass(frozen=True)
class Relation:
    """One captured table: where it stands on both sides and the contract's type of each column that is content.

    `updated_at` is not content: a re-delivery moves it in the store and changes nothing in the warehouse.
    """

    table: str
    identity: tuple[str, ...]
    columns: Mapping[str, str]
    alive: str = "true"  # condition of the landing rows that stand for a living row
    own: OwnTable | None = None  # where a mapped store keeps it

    @property
    def store(self) -> str:
        """The store's table, as people and Debezium write it."""
        return self.own.relation if self.own else f"enrichment.{self.table}"

    @property
    def store_sql(self) -> str:
        """The same as SQL writes it."""
        return mapped.quoted(self.own.relation) if self.own else self.store

    def store_identity(self, store_types: Mapping[str, str]) -> list[str]:
        """The identity as SQL over the store's own columns."""
        return mapped.identity(self.own, self.identity, self.columns, store_types) if self.own else list(self.identity)

    @property
    def warehouse(self) -> str:
        return f"landing.{self.table}"


_SMALL = "not is_deleted"
RELATIONS = {
    "ticket_signals": Relation(
        "ticket_signals",
        ("source_system", "ticket_id"),
        {
            "event_id": "uuid",
            "occurred_at": "timestamp with time zone",
            "source_system": "text",
            "ticket_id": "text",
            "account_id": "text",
            "sentiment": "text",
            "sentiment_score": "numeric",
            "churn_risk": "text",
            "effort": "text",
            "raw_tags": "text[]",
            "canonical_tag": "text",
            "driver": "text",
            "custom_metrics": "jsonb",
            "evidence_url": "text",
            "evidence_quote": "text",
            "idempotency_key": "text",
            "version": "bigint",
        },
    ),
    "tag_taxonomy": Relation(
        "tag_taxonomy", ("raw_tag",), dict.fromkeys(("raw_tag", "canonical_tag", "driver", "owner"), "text"), _SMALL
    ),
    "accounts": Relation(
        "accounts", ("account_id",), dict.fromkeys(("account_id", "name", "plan", "segment", "owner"), "text"), _SMALL
    ),
}


def relations(mapping: StoreMapping) -> dict[str, Relation]:
    """What is captured: every table, or those that the mapping of a store of somebody else's names."""
    return {name: replace(RELATIONS[name], own=own) for name, own in mapping.items()} if mapping else RELATIONS


@dataclass(frozen=True)
class Expressions:
    """The SQL expression of each content column on one side, in the same order on both.

    `transaction` is the expression of the one that wrote a row.
    """

    relation: str
    alive: str
    identity: tuple[str, ...]
    columns: Mapping[str, str]
    transaction: str


def expressions(relation: Relation, store_types: Mapping[str, str]) -> tuple[Expressions, Expressions]:
    """The two sides of a comparison.

    Args:
        relation: what is compared.
        store_types: the store's actual columns and their types, as `format_type` spells them. A column it lacks is
            null there. Columns it has beyond the contract may have been carried into custom_metrics: these keys are
            left out on both sides.
    """
    source = relation.store
    if relation.own:
        source = mapped.as_contract(relation.own, relation.columns, store_types)
        store_types = mapped.mapped_columns(relation.own, relation.columns)
    carried = sorted(set(store_types) - set(relation.columns) - {"updated_at"})
    store, warehouse = {}, {}
    for column, contract_type in relation.columns.items():
        actual = store_types.get(column)
        as_text = actual is not None and not is_lossless(contract_type, actual)
        store[column] = _expression(column, contract_type, carried, as_text) if actual else _absent(column, contract_type)
        warehouse[column] = _expression(column, contract_type, carried, as_text)
    return (
        Expressions(source, "true", relation.identity, store, "xmin::text"),
        Expressions(relation.warehouse, relation.alive, relation.identity, warehouse, "landed_xid::text"),
    )


def history(latest: Expressions) -> Expressions:
    """The same columns read from the history of versions."""
    return replace(latest, relation="landing.ticket_signal_versions")


def is_lossless(contract_type: str, actual: str) -> bool:
    """Whether every value of the actual type means the same in the contract's."""
    return _plain(actual) in _LOSSLESS[contract_type]


def _plain(actual: str) -> str:
    """`character varying(20)` is `character varying`."""
    return actual.split("(", 1)[0] + ("[]" if actual.endswith("[]") and "(" in actual else "")


def _absent(column: str, contract_type: str) -> str:
    return _EMPTY.get(column, f"null::{contract_type}")


def _expression(column: str, contract_type: str, carried: list[str], as_text: bool) -> str:
    if as_text:
        return f'{column}::text collate "C"'
    if contract_type == "text":
        return f'{column}::text collate "C"'
    if column == "custom_metrics":
        return _metrics(carried)
    value = f"{column}::{contract_type}"
    return f"coalesce({value}, {_EMPTY[column]})" if column in _EMPTY else value


def _metrics(carried: list[str]) -> str:
    metrics = "coalesce(custom_metrics::jsonb, '{}'::jsonb)"
    if not carried:
        return metrics
    keys = ", ".join("'" + name.replace("'", "''") + "'" for name in carried)
    return f"case when jsonb_typeof({metrics}) = 'object' then {metrics} - array[{keys}] else {metrics} end"
