"""Counting the reads of incremental snapshots in a topic, and which of them have landed. Pure."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# JSON escapes quotes within texts, so this can only be the field of the envelope's source.
READ = b'"snapshot":"incremental"'


def is_read(value: bytes | None) -> bool:
    """Whether a record is a row that an incremental snapshot read."""
    return value is not None and READ in value


@dataclass
class Progress:
    """How far one backfill is. `expected` is the store's count when it was asked for."""

    expected: int
    landed: int = 0
    waiting: dict[int, deque[int]] = field(default_factory=dict)  # partition: offsets of reads that have not landed

    def see(self, partition: int, offsets: Iterable[int]) -> None:
        """Reads that are in the topic, in the order of their offsets."""
        self.waiting.setdefault(partition, deque()).extend(offsets)

    def land(self, consumed: Mapping[int, int]) -> None:
        """Count the reads below the offsets that were consumed with their effect."""
        for partition, offsets in self.waiting.items():
            while offsets and offsets[0] < consumed.get(partition, 0):
                offsets.popleft()
                self.landed += 1

    @property
    def read(self) -> int:
        """Rows that Debezium has read so far."""
        return self.landed + sum(map(len, self.waiting.values()))

    @property
    def is_complete(self) -> bool:
        return self.landed >= self.expected


def is_over(progress: Progress, is_running: bool, quiet_seconds: float) -> bool:
    """Whether a backfill has ended: all rows landed, or nothing is under way and nothing has come for a while.

    Fewer rows than expected come when some were changed or deleted meanwhile: the change itself takes the read's place.
    """
    nothing_waits = progress.read == progress.landed
    return progress.is_complete or (not is_running and nothing_waits and quiet_seconds >= 15)
