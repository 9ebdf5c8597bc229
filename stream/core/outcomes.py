"""Rule 6: the one thing each consumed record ends as."""

from enum import StrEnum


class Outcome(StrEnum):
    """The closed list of outcomes; a column of landing.consumed_records is named after each."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    STALE = "stale"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    DELETED = "deleted"
