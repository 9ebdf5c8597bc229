"""Values as PostgreSQL receives them in a binary COPY, for the types that psycopg writes slowly or in another width.

Texts, numerics and moments with a calendar need nothing: psycopg writes them natively. What is made here are bytes, which it
copies. Source: the receiving functions of PostgreSQL (`array_recv`, `uuid_recv`, `jsonb_recv`, `timestamptz_recv`).
"""

from binascii import unhexlify
from collections.abc import Callable, Sequence
from functools import lru_cache
from struct import Struct

from psycopg import adapters, postgres
from psycopg.pq import Format

_EPOCH = 946_684_800_000_000  # 2000-01-01, from where PostgreSQL counts, in microseconds since 1970
_TEXT, _NUMERIC = postgres.types["text"].oid, postgres.types["numeric"].oid
_numeric: Callable[[int], bytes] = adapters.get_dumper_by_oid(_NUMERIC, Format.BINARY)(int).dump  # type: ignore[assignment]
_array_head = Struct(">5i").pack  # dimensions, whether it holds nulls, type, elements, number of the first one

integer: Callable[[int], bytes] = Struct(">i").pack
bigint: Callable[[int], bytes] = Struct(">q").pack


def uuid(text: str) -> bytes:
    """A uuid from its 36 characters."""
    return unhexlify(text.replace("-", ""))


def jsonb(text: str) -> str:
    """JSON text behind jsonb's version number."""
    return "\x01" + text


def moment(microseconds: int | None) -> bytes | None:
    """A timestamptz from the microseconds since 1970."""
    return None if microseconds is None else bigint(microseconds - _EPOCH)


def texts(values: Sequence[str]) -> bytes:
    """A text[]."""
    return _array(_TEXT, len(values)) + b"".join(map(_text_element, values))


def numerics(values: Sequence[int]) -> bytes:
    """A numeric[] of whole numbers."""
    array = _array(_NUMERIC, len(values))
    for number in map(_numeric, values):
        array += integer(len(number)) + number
    return array


@lru_cache
def _array(kind: int, elements: int) -> bytes:
    """What precedes an array's elements. One without elements has no dimension either."""
    return _array_head(1, 0, kind, elements, 1) if elements else _array_head(0, 0, kind, 0, 0)[:12]


@lru_cache(maxsize=10_000)  # the same tags come again and again
def _text_element(text: str) -> bytes:
    encoded = text.encode()
    return integer(len(encoded)) + encoded
