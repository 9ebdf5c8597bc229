"""Bucketed comparison: it finds exactly the rows that differ, whatever they are and however they fall into buckets."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from ops.reconcile.compare import bucket_count, differing_buckets, differing_columns, differing_rows, questions, sizes

Rows = Mapping[tuple[str, ...], int]
IDENTITIES = st.tuples(st.sampled_from(["zendesk", "intercom"]), st.text(min_size=1, max_size=3))
TABLES = st.dictionaries(IDENTITIES, st.integers(-(2**63), 2**63 - 1), max_size=40)


def bucket_of(identity: tuple[str, ...], buckets: int) -> int:
    return hash(identity) & (buckets - 1)


def bucketed(rows: Rows, buckets: int) -> dict[int, tuple[int, int]]:
    """What a server answers: rows and the combined hash per bucket."""
    found: dict[int, tuple[int, int]] = {}
    for identity, row_hash in rows.items():
        number, combined = found.get(bucket_of(identity, buckets), (0, 0))
        found[bucket_of(identity, buckets)] = (number + 1, combined ^ hash((identity, str(row_hash))))  # hash(-1) is hash(-2)
    return found


def drilled(store: Rows, warehouse: Rows, buckets: int) -> set[tuple[str, ...]]:
    """The whole comparison, with dictionaries in the place of the servers."""
    ours, theirs = bucketed(store, buckets), bucketed(warehouse, buckets)
    found: set[tuple[str, ...]] = set()
    for group in questions(differing_buckets(ours, theirs), sizes(ours, theirs)):
        chosen = [{one: value for one, value in side.items() if bucket_of(one, buckets) in group} for side in (store, warehouse)]
        found |= differing_rows(*chosen)
    return found


@given(TABLES, TABLES, st.sampled_from([1, 2, 16, 64]))
def test_drilling_down_finds_exactly_the_rows_that_differ(store: Rows, warehouse: Rows, buckets: int) -> None:
    """Buckets, however many, lead to the same rows as a comparison of everything with everything."""
    naive = {one for one in store.keys() | warehouse.keys() if store.get(one) != warehouse.get(one)}
    assert drilled(store, warehouse, buckets) == naive


@given(TABLES, st.data())
def test_one_changed_row_among_equal_ones_is_the_only_one_named(rows: Rows, data: st.DataObject) -> None:
    """A changed row does not drag the other rows of its bucket along."""
    changed = data.draw(st.sampled_from(sorted(rows))) if rows else None
    tampered = {one: value ^ 1 if one == changed else value for one, value in rows.items()}
    assert drilled(rows, tampered, 16) == ({changed} if changed else set())


@given(st.integers(0, 10**9))
def test_the_number_of_buckets_is_a_power_of_two_within_bounds(rows: int) -> None:
    """The bucket is taken with a bit mask, so the number of buckets must be a power of two."""
    buckets = bucket_count(rows)
    assert buckets.bit_count() == 1
    assert 16 <= buckets <= 65_536


@given(st.dictionaries(st.integers(0, 100), st.integers(1, 60_000), max_size=50))
def test_questions_hold_every_bucket_once_and_stay_small(counts: dict[int, int]) -> None:
    """No question asks for more than 50,000 rows unless a single bucket holds more."""
    groups = list(questions(sorted(counts), counts))
    assert [bucket for group in groups for bucket in group] == sorted(counts)
    assert all(len(group) == 1 or sum(counts[bucket] for bucket in group) <= 50_000 for group in groups)


def test_differing_columns_are_named_in_the_order_of_the_contract() -> None:
    """The names of the columns whose hashes differ come out in the table's order."""
    assert differing_columns({"a": 1, "b": 2, "c": 3}, {"c": 4, "b": 2, "a": 0}) == ("a", "c")
