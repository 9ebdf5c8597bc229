"""Where in the source a record stands: one number that grows with the store's log."""

import msgspec

_SEQUENCE = msgspec.json.Decoder(tuple[str | None, str | None])
MAX_POSITION = 2**63 - 1


def source_position(sequence: str | None, lsn: int | None) -> int | None:
    """The second number of `source.sequence` (`["<last commit>","<this>"]`), else the lsn, else None.

    Incremental-snapshot reads have no lsn, but always a sequence.
    """
    position = _second(sequence) if sequence else None
    position = lsn if position is None else position
    return position if position is not None and 0 < position <= MAX_POSITION else None


def _second(sequence: str) -> int | None:
    digits = sequence[sequence.rfind(",") + 2 : -2]  # as Debezium writes it
    if 0 < len(digits) < 20 and digits.isascii() and digits.isdigit():
        return int(digits)
    try:
        second = _SEQUENCE.decode(sequence)[1]
    except msgspec.DecodeError:
        return None
    return int(second) if second is not None and second.isascii() and second.isdigit() and len(second) < 20 else None
