"""The window of a cycle: the landing rows that one database snapshot sees and an earlier one did not."""

import re
from dataclasses import dataclass

SNAPSHOT = re.compile(r"\d+:\d+:[\d,]*\Z")


@dataclass(frozen=True)
class Window:
    """Two pg_snapshots as text, `xmin:xmax:running`. `from_snapshot` None means that nothing was read before."""

    from_snapshot: str | None
    to_snapshot: str

    def __post_init__(self) -> None:
        for snapshot in (self.from_snapshot, self.to_snapshot):
            if snapshot is not None and not SNAPSHOT.match(snapshot):
                raise ValueError(f"not a snapshot: {snapshot!r}")

    def unseen(self, relation: str) -> str:
        """SQL condition that a row of `relation` landed within the window; literals let the planner use the index."""
        conditions = [f"pg_visible_in_snapshot({relation}.landed_xid, '{self.to_snapshot}'::pg_snapshot)"]
        if self.from_snapshot is not None:
            oldest = self.from_snapshot.split(":", 1)[0]
            conditions = [
                f"{relation}.landed_xid >= '{oldest}'::xid8",
                f"not pg_visible_in_snapshot({relation}.landed_xid, '{self.from_snapshot}'::pg_snapshot)",
                *conditions,
            ]
        return " and ".join(conditions)


def newer_than(snapshot: str, relation: str) -> str:
    """SQL condition that a committed row of `relation` is not visible in `snapshot`."""
    oldest = Window(None, snapshot).to_snapshot.split(":", 1)[0]
    return (
        f"{relation}.landed_xid >= '{oldest}'::xid8"
        f" and not pg_visible_in_snapshot({relation}.landed_xid, '{snapshot}'::pg_snapshot)"
    )
