"""Counting: every consumed record, by partition and outcome, adds up to the offsets consumed."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from stream.core.outcomes import Outcome
from stream.core.records import Record

Partition = tuple[str, int]  # topic, partition


class Consumed(Struct):
    """What one batch read of one partition."""

    first_offset: int
    next_offset: int
    outcomes: dict[Outcome, int]
    redelivered: int  # records read before, whatever they ended as
    missing: int  # offsets nobody ever read: expired from the topic before the worker came


def count(
    records: Iterable[Record], outcomes: Mapping[int, Outcome], next_offsets: Mapping[Partition, int]
) -> dict[Partition, Consumed]:
    """Count a batch. `next_offsets` are the offsets that were to be read next; absent for a new partition."""
    consumed: dict[Partition, Consumed] = {}
    for place, record in enumerate(records):
        partition = (record.topic, record.partition)
        expected = next_offsets.get(partition, record.offset)
        one = consumed.get(partition)
        if one is None:
            one = consumed[partition] = Consumed(record.offset, expected, {}, 0, 0)
        one.outcomes[outcomes[place]] = one.outcomes.get(outcomes[place], 0) + 1
        if record.offset < one.next_offset:
            one.redelivered += 1
        else:
            one.missing += record.offset - one.next_offset
            one.next_offset = record.offset + 1
    return consumed


def is_fresh(record: Record, next_offsets: Mapping[Partition, int]) -> bool:
    """Whether this record was never read before."""
    return record.offset >= next_offsets.get((record.topic, record.partition), 0)
