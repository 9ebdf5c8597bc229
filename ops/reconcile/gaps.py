"""Version gaps: where a source says that versions are dense, a missing one is named with its neighbours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import psycopg
import yaml

MOST_GAPS = 1000
# A ticket has at most one row per version, so a ticket without a hole has as many rows as versions from first to last.
GAPS = """
with holed as (
    select source_system, ticket_id
    from landing.ticket_signal_versions
    where source_system = any(%(dense)s)
    group by source_system, ticket_id
    having max(version) - min(version) + 1 <> count(*)
),
followed as (
    select source_system, ticket_id, version, lead(version) over ticket as next_version
    from landing.ticket_signal_versions
    inner join holed using (source_system, ticket_id)
    window ticket as (partition by source_system, ticket_id order by version)
)
-- one row per run of missing versions
select source_system, ticket_id, version, next_version
from followed
where next_version > version + 1
order by source_system, ticket_id, version
limit %(most)s
"""


class PolicyError(Exception):
    """The policy file cannot be read; the message says what is expected."""


@dataclass(frozen=True)
class Gap:
    """Versions missing between two that landed."""

    source_system: str
    ticket_id: str
    after: int
    before: int

    @property
    def missing(self) -> int:
        return self.before - self.after - 1

    def __str__(self) -> str:
        first, last = self.after + 1, self.before - 1
        versions = f"version {first}" if first == last else f"versions {first} to {last}"
        return f"{self.source_system} {self.ticket_id}: {versions} missing between {self.after} and {self.before}"


def dense_systems(document: Mapping[str, object] | None = None) -> tuple[str, ...]:
    """The source systems with dense versions, from policy.yml. Raises PolicyError."""
    if document is None:
        document = yaml.safe_load(files("ops.reconcile").joinpath("policy.yml").read_text()) or {}
    systems = document.get("dense_versions", [])
    if not isinstance(systems, list) or not all(isinstance(system, str) for system in systems):
        raise PolicyError("ops/reconcile/policy.yml: dense_versions must be a list of source systems")
    return tuple(systems)


def find(warehouse: psycopg.Connection[Any], dense: Sequence[str]) -> list[Gap]:
    """The first 1,000 gaps, by ticket."""
    if not dense:
        return []
    return [Gap(*row) for row in warehouse.execute(GAPS, {"dense": list(dense), "most": MOST_GAPS})]
