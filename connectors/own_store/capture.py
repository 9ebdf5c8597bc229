"""What differs in the connector when tables and columns have names of their own. Pure.

Topics keep our names, so that everything after Kafka is the same; only mapped columns leave the store.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.register import CONNECTOR_NAME

ROUTER = "org.apache.kafka.connect.transforms.RegexRouter"


@dataclass(frozen=True)
class CapturedTable:
    """A table of the store: `relation` is schema.table, `columns` are all that are read, `key` those that identify a row."""

    relation: str
    columns: tuple[str, ...]
    key: tuple[str, ...]


def configuration(ours: Mapping[str, str], tables: Mapping[str, CapturedTable]) -> dict[str, str]:
    """The connector's configuration for these tables, by our names for them, made from the one for our own store."""
    prefix, signals = ours["topic.prefix"], ours["signal.data.collection"]
    relations = [table.relation for table in tables.values()]
    columns = [_pattern(table.relation, column) for table in tables.values() for column in table.columns]
    routes: dict[str, str] = {}
    for name, table in tables.items():
        routes |= {
            f"transforms.{name}.type": ROUTER,
            f"transforms.{name}.regex": re.escape(f"{prefix}.{table.relation}"),
            f"transforms.{name}.replacement": f"{prefix}.{CONNECTOR_NAME}.{name}",
        }
    return {
        **ours,
        "table.include.list": ",".join(map(re.escape, relations)),
        "column.include.list": ",".join([*columns, rf"{re.escape(signals)}\..*"]),
        "message.key.columns": ";".join(f"{re.escape(table.relation)}:{','.join(table.key)}" for table in tables.values()),
        "guardrail.collections.max": str(len(tables) + 1),
        "transforms": ",".join(tables),
        **routes,
    }


def _pattern(relation: str, column: str) -> str:
    return re.escape(f"{relation}.{column}")
