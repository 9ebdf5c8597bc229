"""Which buckets differ, which rows of them differ. Pure."""

from collections.abc import Iterable, Mapping, Sequence

Identity = tuple[str, ...]
SMALLEST, LARGEST = 16, 65_536
ROWS_PER_BUCKET = 250
ROWS_PER_QUESTION = 50_000


def bucket_count(rows: int) -> int:
    """A power of two that leaves some 250 rows in each bucket."""
    wanted = max(SMALLEST, min(LARGEST, rows // ROWS_PER_BUCKET))
    return int(1 << (wanted - 1).bit_length())


def differing_buckets(store: Mapping[int, tuple[int, int]], warehouse: Mapping[int, tuple[int, int]]) -> list[int]:
    """The buckets whose number of rows or hash is not the same."""
    return sorted(bucket for bucket in store.keys() | warehouse.keys() if store.get(bucket) != warehouse.get(bucket))


def differing_rows(store: Mapping[Identity, int], warehouse: Mapping[Identity, int]) -> set[Identity]:
    """The identities that stand on one side only, or whose hashes are not the same."""
    return {identity for identity in store.keys() | warehouse.keys() if store.get(identity) != warehouse.get(identity)}


def questions(buckets: Sequence[int], sizes: Mapping[int, int]) -> Iterable[list[int]]:
    """The buckets in groups of at most ROWS_PER_QUESTION rows (a larger bucket stands alone)."""
    group: list[int] = []
    rows = 0
    for bucket in buckets:
        size = sizes.get(bucket, 0)
        if group and rows + size > ROWS_PER_QUESTION:
            yield group
            group, rows = [], 0
        group.append(bucket)
        rows += size
    if group:
        yield group


def sizes(store: Mapping[int, tuple[int, int]], warehouse: Mapping[int, tuple[int, int]]) -> dict[int, int]:
    """bucket: the larger of its two numbers of rows."""
    counts: dict[int, int] = {}
    for side in (store, warehouse):
        for bucket, (rows, _) in side.items():
            counts[bucket] = max(counts.get(bucket, 0), rows)
    return counts


def differing_columns(left: Mapping[str, int], right: Mapping[str, int]) -> tuple[str, ...]:
    """The names of the columns whose hashes are not the same."""
    return tuple(name for name, value in left.items() if right.get(name) != value)
