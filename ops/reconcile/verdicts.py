"""What a row that looked different is: same after all, missing, extra, different, explained, dead-lettered, in flight. Pure.

A row is judged by three reads in this order: the store's row (its token), the warehouse once it has consumed everything
the store had committed by then, and the store's row again. Where the token has not changed in between, the warehouse has
had all it takes to hold that content.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ops.reconcile.compare import Identity, differing_columns
from ops.reconcile.letters import EDITED, Letter, holds
from ops.reconcile.side import FullRow, Token


class Kind(StrEnum):
    """The closed list of verdicts."""

    SAME = "same"
    MISSING = "missing"
    EXTRA = "extra"
    DIFFERENT = "different"
    EXPLAINED = "explained"
    DEAD_LETTERED = "dead_lettered"
    IN_FLIGHT = "in_flight"


DIFFERENCES = (Kind.MISSING, Kind.EXTRA, Kind.DIFFERENT)


@dataclass(frozen=True)
class Version:
    """One version in the landing history of a ticket. `is_altered`: it no longer says what landed."""

    version: int
    row_hash: int
    is_altered: bool = False


@dataclass(frozen=True)
class Evidence:
    """All that is known of one row that looked different. `position` is the store's, taken after `before` was read."""

    identity: Identity
    before: Token | None
    landed: FullRow | None
    now: FullRow | None
    position: int
    content_hash: bytes | None = None  # of `now`, by the contract
    history: tuple[Version, ...] = ()
    letters: tuple[Letter, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The answer for one row; `columns` are named when both sides hold it."""

    identity: Identity
    kind: Kind
    reason: str = ""
    columns: tuple[str, ...] = ()


def judge(evidence: Evidence, last_chance: bool = False) -> Verdict:
    """Say what a row is.

    Args:
        evidence: the three reads.
        last_chance: the row has been looked at several times and neither side moved: a position ahead of the store's
            no longer means that a change is on its way.
    """
    identity, landed, now = evidence.identity, evidence.landed, evidence.now
    if now and landed and now.token.row_hash == landed.token.row_hash:
        return Verdict(identity, Kind.SAME)
    if now is None and landed is None:
        return Verdict(identity, Kind.SAME)
    if (now.token if now else None) != evidence.before:
        return Verdict(identity, Kind.IN_FLIGHT, "the store's row changed meanwhile")
    if landed and landed.position > evidence.position and not last_chance:
        return Verdict(identity, Kind.IN_FLIGHT, "the warehouse is ahead")
    if now is None:
        return Verdict(identity, Kind.EXTRA, "the store does not hold it")
    return _accounted_for(evidence, now) or _differs(evidence, now)


def _accounted_for(evidence: Evidence, now: FullRow) -> Verdict | None:
    """The rules kept the store's content from being the latest, and landing holds it elsewhere."""
    for letter in evidence.letters:
        if holds(letter, now.values, evidence.content_hash):
            if letter.status == EDITED and (evidence.landed is None or _is_altered(evidence)):
                continue  # what the edit made of it is gone or altered
            kind = Kind.EXPLAINED if letter.reason == "conflict" or letter.status == EDITED else Kind.DEAD_LETTERED
            return Verdict(evidence.identity, kind, f"{letter.reason}: dead letter {letter.number} ({letter.status}) holds it")
    if evidence.landed is None or not evidence.history or _is_altered(evidence):
        return None
    newest = evidence.landed.values["version"]
    standing = next((version for version in evidence.history if version.row_hash == now.token.row_hash), None)
    if standing and newest > standing.version:
        return Verdict(evidence.identity, Kind.EXPLAINED, f"version {standing.version} was written after version {newest}")
    return None


def _differs(evidence: Evidence, now: FullRow) -> Verdict:
    landed = evidence.landed
    if landed is None:
        return Verdict(evidence.identity, Kind.MISSING, "the warehouse does not hold it")
    columns = differing_columns(now.column_hashes, landed.column_hashes)
    reason = "somebody wrote into the row since it landed" if _is_altered(evidence) else ""
    return Verdict(evidence.identity, Kind.DIFFERENT, reason, columns)


def _is_altered(evidence: Evidence) -> bool:
    """Whether somebody changed the latest version by hand."""
    landed = evidence.landed
    return landed is not None and any(one.is_altered for one in evidence.history if one.version == landed.values["version"])


def counts(verdicts: Iterable[Verdict]) -> Counter[Kind]:
    """How many of each kind."""
    return Counter(verdict.kind for verdict in verdicts)
