"""Where in the source a record stands: one number that grows in the order in which transactions were committed.

A change's own LSN does not do: a delete may be written early and committed late, after a snapshot read that did not see
it, and would then seem older than the read. `source.sequence` (`["<last commit>","<this>"]`) has both numbers that do:
the commit before the record's transaction, and its place since. Together they make one position of 128 bits.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

Lsn = Annotated[int, Meta(ge=0, le=2**63 - 1)]

_SEQUENCE = msgspec.json.Decoder(tuple[Lsn | None, Lsn | None], strict=False)  # Debezium writes the numbers as strings
_LSN_BITS = 64


def source_position(sequence: str | None, lsn: int | None) -> int | None:
    """The position of a record, or None when it has none.

    Incremental-snapshot reads have no lsn, but always a sequence; rows of a first snapshot have no last commit, and
    stand where the snapshot was taken.
    """
    committed, this = _numbers(sequence) if sequence else (None, None)
    this = lsn if this is None else this
    if not this:
        return None
    return (this if committed is None else committed) << _LSN_BITS | this


def as_sequence(position: int) -> str:
    """The `source.sequence` that has this position."""
    committed, this = divmod(position, 1 << _LSN_BITS)
    return msgspec.json.encode([str(committed), str(this)]).decode()


def reached(lsn: int) -> int:
    """A position at or after every change that was committed when the store's log stood here."""
    return lsn << _LSN_BITS | lsn


def _numbers(sequence: str) -> tuple[int | None, int | None]:
    try:
        return _SEQUENCE.decode(sequence)
    except msgspec.MsgspecError:
        return None, None
