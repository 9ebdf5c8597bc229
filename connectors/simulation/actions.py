"""What can happen in an enrichment store: kinds, their shares, and the rows they write. Values only."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from connectors.sample.people import Account, Opinion


class Kind(StrEnum):
    """What the enrichment product does next."""

    NEW = "new"  # the first enrichment of a ticket
    RE_ENRICHMENT = "re_enrichment"  # the next version of a ticket
    DUPLICATE = "duplicate"  # the newest version is written again: only updated_at changes
    LATE = "late"  # a racing worker writes an older version over the newer one
    CONFLICT = "conflict"  # the newest version's key, with other content
    BROKEN = "broken"  # a version that breaks the contract
    DELETE = "delete"  # the ticket is erased
    RE_CREATION = "re_creation"  # an erased ticket comes back, from version 1
    TAXONOMY = "taxonomy"  # somebody edits what a raw tag means
    ACCOUNT = "account"  # somebody edits an account


# Out of 1,000 actions. What needs a ticket that does not exist yet becomes NEW instead.
SHARES = {
    Kind.NEW: 550,
    Kind.RE_ENRICHMENT: 280,
    Kind.DUPLICATE: 80,
    Kind.LATE: 40,
    Kind.CONFLICT: 3,
    Kind.BROKEN: 4,
    Kind.DELETE: 22,
    Kind.RE_CREATION: 9,
    Kind.TAXONOMY: 4,
    Kind.ACCOUNT: 8,
}


@dataclass(frozen=True, slots=True)
class Version:
    """One enrichment of one ticket: a row of enrichment.ticket_signals."""

    source_system: str
    ticket_id: str
    version: int
    occurred_at: datetime
    account_id: str
    opinion: Opinion
    evidence_url: str | None

    @property
    def identity(self) -> tuple[str, str]:
        return self.source_system, self.ticket_id

    @property
    def idempotency_key(self) -> str:
        return f"{self.source_system}:{self.ticket_id}:{self.version}"


@dataclass(frozen=True, slots=True)
class Write:
    """Upsert this version."""

    kind: Kind
    version: Version


@dataclass(frozen=True, slots=True)
class Delete:
    """Erase this ticket."""

    kind: Kind
    identity: tuple[str, str]


@dataclass(frozen=True, slots=True)
class EditTag:
    """Upsert (raw_tag, canonical_tag, driver, owner)."""

    kind: Kind
    row: tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class EditAccount:
    """Upsert this account."""

    kind: Kind
    account: Account


Action = Write | Delete | EditTag | EditAccount


def with_sentiment(version: Version, sentiment: str) -> Version:
    """The same version saying something else about the customer's mood."""
    return replace(version, opinion=replace(version.opinion, sentiment=sentiment))
