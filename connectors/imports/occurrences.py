"""The n-th occurrence of each identity in a file, in a private temporary database: memory stays constant."""

import sqlite3

TABLE = """
create table occurrences (
    identity text primary key,
    total integer not null,
    seen integer not null default 0,
    last_content integer not null
) without rowid
"""
ANNOUNCE = """
insert into occurrences (identity, total, last_content) values (?1, 1, ?2)
on conflict do update set total = total + (?3 or last_content <> ?2), last_content = ?2
"""
NUMBER = """
update occurrences set seen = seen + (seen = 0 or ?3 or last_content <> ?2), last_content = ?2
where identity = ?1 returning seen, total
"""


class Occurrences:
    """Counts in two passes: `announce` every row, then `number` every row in the same order.

    Args:
        each: True: every occurrence is a version of its own; False: an exact repeat of the one before is the same version.
    """

    def __init__(self, each: bool) -> None:
        self._each = each
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)  # "": on disk, unnamed, private
        self._database.execute("pragma synchronous = off")
        self._database.execute(TABLE)
        self._database.execute("begin")

    def announce(self, identity: str, text: str) -> None:
        """Count one row in the first pass; `text` is the row as it stands in the file."""
        self._database.execute(ANNOUNCE, (identity, hash(text), self._each))

    def number(self, identity: str, text: str) -> tuple[int, int]:
        """(n, total) of one row in the second pass."""
        row: tuple[int, int] = self._database.execute(NUMBER, (identity, hash(text), self._each)).fetchone()
        return row

    def close(self) -> None:
        """Drop the temporary database."""
        self._database.close()
