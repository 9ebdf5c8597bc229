"""What a consumed record can turn out to be: a change, a deletion, a rejection, or nothing at all."""

from typing import NamedTuple, Protocol

from msgspec import Struct

from stream.core.contract.rows import Row
from stream.core.reasons import Reason

Identity = tuple[str, ...]


class Record(Protocol):
    """One Kafka record as any client returns it. `timestamp` is in milliseconds since 1970."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class RawRecord(NamedTuple):
    """A record made here rather than consumed: a redriven dead letter, a test."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Difference(NamedTuple):
    """One way in which the store's columns depart from the contract."""

    table: str
    kind: str  # a key of the drift policy
    column: str


class Change(Struct, gc=False):
    """The new content of one row, at one position of the source."""

    record: Record
    table: str
    identity: Identity
    row: Row
    position: int
    content_hash: bytes
    committed_at: int | None  # when the store committed it, in microseconds since 1970; unknown for snapshot reads
    captured_at: int | None
    differences: tuple[Difference, ...] = ()


class Deletion(Struct, gc=False):
    """The end of one row's life."""

    record: Record
    table: str
    identity: Identity
    position: int
    deleted_at: int | None  # microseconds since 1970


class Rejection(Struct, gc=False):
    """A record that breaks the contract. `detail` names the field and its value, shortened."""

    record: Record
    table: str
    reason: Reason
    detail: str
    identity: Identity | None = None
    position: int | None = None
    differences: tuple[Difference, ...] = ()
    stops: bool = False


class NoEffect(Struct, gc=False):
    """A tombstone, a heartbeat or a message without a row."""

    record: Record


Decoded = Change | Deletion | Rejection | NoEffect
