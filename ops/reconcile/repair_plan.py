"""What a repair takes out of landing before the store's row is read again. Pure.

Only rows that are wrong go: those whose content no longer matches the hash it landed with, or that claim a position the
store has not reached, and only where they would keep the store's row from landing. Older versions stay.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ops.reconcile.side import Identity


@dataclass(frozen=True)
class LandedVersion:
    """One row of the history. `recomputed` is the contract's hash of what it holds now."""

    identity: Identity
    key: str
    version: int
    content_hash: bytes
    recomputed: bytes | None
    positions: tuple[int, ...]

    def is_altered(self, position: int) -> bool:
        """Whether somebody wrote into the row since it landed. `position` is one the store has reached."""
        return self.recomputed != self.content_hash or max(self.positions, default=-1) > position


@dataclass(frozen=True)
class Case:
    """A ticket that is missing or different. `versions` are those of the ticket and whatever holds the store's key."""

    identity: Identity
    store_key: str | None
    store_version: int | None
    versions: tuple[LandedVersion, ...]
    ended: int | None  # position of its tombstone
    position: int


@dataclass(frozen=True)
class Plan:
    """What to do before the read: remove these versions, and the tombstone or not."""

    identity: Identity
    remove_versions: tuple[LandedVersion, ...] = ()
    removes_tombstone: bool = False


def plan(case: Case) -> Plan:
    """Say what must go so that the store's row can land."""
    return Plan(
        case.identity,
        remove_versions=tuple(one for one in case.versions if one.is_altered(case.position) and _is_in_the_way(one, case)),
        removes_tombstone=case.ended is not None and case.ended > case.position,
    )


def _is_in_the_way(version: LandedVersion, case: Case) -> bool:
    """It holds the store's key or version, or it would outrank the store's row for ever."""
    if case.store_version is None or version.key == case.store_key:
        return True
    return version.identity == case.identity and version.version >= case.store_version


@dataclass
class Removals:
    """How many extra rows a repair may end: a flood of them is a TRUNCATE or the wrong store, not a repair."""

    most: int
    allowed: list[Identity] = field(default_factory=list)
    refused: list[Identity] = field(default_factory=list)


def removals(extra: Iterable[Identity], most: int) -> Removals:
    """All or nothing: more extra rows than `most` are left as they are."""
    found = list(extra)
    return Removals(most, allowed=found) if len(found) <= most else Removals(most, refused=found)
