"""The flags of an account, and the records that carry them. Pure.

The flags tell of the account's ticket with the highest churn risk, of several the one told last; without a living ticket
every flag is empty.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

FLAGS = ("churn_risk", "ticket", "driver", "evidence_url", "idempotency_key", "version")
RISKS = ("none", "low", "medium", "high")  # ascending
CLEARED: dict[str, Any] = dict.fromkeys(FLAGS)
Flags = Mapping[str, Any]


class Heard(NamedTuple):
    """The newest a record of cx.signals.crm.v1 says of one ticket; account_id None: it counts for no account."""

    source_system: str
    ticket_id: str
    sequence: str
    account_id: str | None = None
    churn_risk: str | None = None
    driver: str | None = None
    evidence_url: str | None = None
    idempotency_key: str | None = None
    version: int | None = None


def newest(heard: Iterable[Heard]) -> list[Heard]:
    """The record with the greatest sequence of each ticket, whatever the order and however often each came."""
    kept: dict[tuple[str, str], Heard] = {}
    for one in heard:
        ticket = (one.source_system, one.ticket_id)
        if ticket not in kept or one.sequence > kept[ticket].sequence:
            kept[ticket] = one
    return list(kept.values())


def flags(tickets: Iterable[Heard]) -> dict[str, Any]:
    """The flags of an account with these living tickets."""
    worst = max(tickets, key=lambda one: (RISKS.index(one.churn_risk or "none"), one.sequence), default=None)
    if worst is None:
        return dict(CLEARED)
    ticket = f"{worst.source_system}/{worst.ticket_id}"
    return {
        "churn_risk": worst.churn_risk,
        "ticket": ticket,
        "driver": worst.driver,
        "evidence_url": worst.evidence_url,
        "idempotency_key": worst.idempotency_key,
        "version": worst.version,
    }


def body(wanted: Flags, fields: Mapping[str, str]) -> dict[str, Any]:
    """The CRM's fields and their values."""
    return {theirs: wanted[ours] for ours, theirs in fields.items()}
