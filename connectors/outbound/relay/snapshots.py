"""Which landing rows a snapshot has not seen, as SQL, and the sequence that orders a ticket's records. No I/O."""

import re
from dataclasses import dataclass

_SNAPSHOT = re.compile(r"(\d+):(\d+):((?:\d+(?:,\d+)*)?)\Z")
WITHDRAWN, CHANGED, RESTATED = 0, 1, 2  # a delete comes before what the same transaction landed after it


@dataclass(frozen=True)
class Snapshot:
    """A pg_snapshot: transactions before `next` are visible, but for those that were `running`."""

    text: str
    next: int
    running: tuple[int, ...]

    def unseen(self, relation: str) -> str:
        """A condition that a row of `relation` is not visible here; literals, so that the planner uses the index."""
        later = f"{relation}.landed_xid >= '{self.next}'::xid8"
        if not self.running:
            return later
        # Not everything since xmin: behind one long transaction that would be re-read with every look. The first condition
        # follows from the second, and keeps the planner from walking the whole index in order.
        running = ",".join(map(str, self.running))
        oldest = f"{relation}.landed_xid >= '{min(self.running)}'::xid8"
        return f"({oldest} and ({later} or {relation}.landed_xid = any('{{{running}}}'::xid8[])))"

    def seen(self, relation: str) -> str:
        """A condition that a row of `relation` is visible here."""
        return f"pg_visible_in_snapshot({relation}.landed_xid, '{self.text}'::pg_snapshot)"


def snapshot(text: str) -> Snapshot:
    """Parse `xmin:xmax:running,…`. Raises ValueError."""
    match = _SNAPSHOT.match(text)
    if match is None:
        raise ValueError(f"not a snapshot: {text!r}")
    return Snapshot(text, int(match[2]), tuple(map(int, match[3].split(","))) if match[3] else ())


@dataclass(frozen=True)
class Window:
    """The transactions after `after` and up to `through` that `seen` has not seen and `until` has."""

    seen: Snapshot
    until: Snapshot
    after: int = 0
    through: int | None = None

    def holds(self, relation: str) -> str:
        """A condition that a row of `relation` landed in this window."""
        conditions = [self.seen.unseen(relation), self.until.seen(relation)]
        if self.after:
            conditions.append(f"{relation}.landed_xid > '{self.after}'::xid8")
        if self.through is not None:
            conditions.append(f"{relation}.landed_xid <= '{self.through}'::xid8")
        return " and ".join(conditions)


def sequence(epoch: int, transaction: int, rank: int, offset: int) -> str:
    """Text whose order is the order of a ticket's records: the same change has the same, however often it is sent.

    A ticket's transactions take turns (stream/edges/warehouse/accounting.py), so its transaction numbers are in order.
    """
    return f"{epoch:04x}-{transaction:016x}-{rank}-{offset:016x}"
