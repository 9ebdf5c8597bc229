"""A batch of decoded records, divided by what has to happen to them. A record's place is its index in the batch."""

from collections.abc import Iterable

from msgspec import Struct

from stream.core.records import Change, Decoded, Deletion, Difference, NoEffect, Record, Rejection
from stream.core.tickets import TicketEvent

LOOKUP_TABLES = ("tag_taxonomy", "accounts")


class Batch(Struct):
    """One batch, every record in exactly one of the lists."""

    records: list[Record]
    tickets: list[tuple[int, TicketEvent]]
    lookups: dict[str, list[tuple[int, Change | Deletion]]]
    rejections: list[tuple[int, Rejection]]
    without_effect: list[int]
    differences: set[Difference]

    @property
    def changes(self) -> list[tuple[int, Change]]:
        """The changes of ticket signals."""
        return [(place, event) for place, event in self.tickets if isinstance(event, Change)]

    @property
    def deletes_tickets(self) -> bool:
        return any(isinstance(event, Deletion) for _, event in self.tickets)


def divide(decoded: Iterable[Decoded]) -> Batch:
    """Sort decoded records by table and kind; their order stays."""
    batch = Batch([], [], {table: [] for table in LOOKUP_TABLES}, [], [], set())
    for place, one in enumerate(decoded):
        batch.records.append(one.record)
        if isinstance(one, NoEffect):
            batch.without_effect.append(place)
        elif isinstance(one, Rejection):
            batch.rejections.append((place, one))
            batch.differences.update(one.differences)
        elif one.table == "ticket_signals":
            batch.tickets.append((place, one))
        else:
            batch.lookups[one.table].append((place, one))
        if isinstance(one, Change) and one.differences:
            batch.differences.update(one.differences)
    return batch
