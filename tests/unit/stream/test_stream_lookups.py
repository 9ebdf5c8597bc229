"""The taxonomy and the accounts, and the counts, by property: order, repetition and cutting do not matter; counts add up."""

from itertools import pairwise
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert

from stream.core.accounting import count
from stream.core.batch import Batch, divide
from stream.core.content import row_hash
from stream.core.contract.rows import Account
from stream.core.outcomes import Outcome
from stream.core.records import Change, Deletion
from tests.fakes.memory_warehouse import MemoryWarehouse
from tests.unit.stream.events import ACCOUNTS, RawRecord, record


class Edit(NamedTuple):
    """An account is written, or deleted (no owner), at a position."""

    account: str
    owner: str | None
    position: int


edits = st.lists(st.builds(Edit, st.sampled_from("xy"), st.sampled_from(["ann", "bo", None]), st.integers(1, 9)), max_size=12)
cuts = st.lists(st.integers(0, 20), max_size=6)


def decoded(edit: Edit, place: int) -> Change | Deletion:
    """The decoded form of an edit. Two contents at one position are told apart by their hash."""
    origin = record(None, place, topic=ACCOUNTS)
    if edit.owner is None:
        return Deletion(origin, "accounts", (edit.account,), edit.position, None)
    columns = {"account_id": edit.account, "name": None, "plan": None, "segment": None, "owner": edit.owner, "updated_at": None}
    row = convert(columns, Account)
    return Change(origin, "accounts", (edit.account,), row, edit.position, row_hash(row), None, None)


def batches(events: list[Edit], at: list[int]) -> list[Batch]:
    """The edits in order, cut into batches at these places."""
    edges = sorted({0, len(events), *(cut for cut in at if cut < len(events))})
    return [divide([decoded(event, place) for place, event in enumerate(events[low:high])]) for low, high in pairwise(edges)]


def landed(events: list[Edit], at: list[int]) -> MemoryWarehouse:
    """A warehouse after these batches."""
    warehouse = MemoryWarehouse()
    for batch in batches(events, at):
        warehouse.land(batch)
    return warehouse


@given(edits, cuts, st.data())
def test_order_repetition_and_cutting_do_not_matter_to_small_tables(
    events: list[Edit], at: list[int], data: st.DataObject
) -> None:
    """Any permutation with any repetitions, cut anywhere, leaves the same accounts and tombstones."""
    repeated = events + (data.draw(st.lists(st.sampled_from(events), max_size=6)) if events else [])
    shuffled = data.draw(st.permutations(repeated))

    assert landed(events, []).lookups == landed(shuffled, at).lookups


@given(edits, cuts, cuts)
def test_a_replay_of_small_tables_is_a_no_op(events: list[Edit], at: list[int], again: list[int]) -> None:
    """Landing everything a second time changes nothing and applies nothing."""
    warehouse = landed(events, at)
    before = dict(warehouse.lookups["accounts"])
    outcomes = [outcome for batch in batches(events, again) for outcome in warehouse.land(batch).values()]

    assert before == warehouse.lookups["accounts"]
    assert not {Outcome.APPLIED, Outcome.DELETED} & set(outcomes)


@given(edits)
def test_a_small_row_never_goes_back(events: list[Edit]) -> None:
    """Whatever arrives, what is known of a row only moves to higher positions."""
    warehouse = MemoryWarehouse()
    for place, event in enumerate(events):
        before = dict(warehouse.lookups["accounts"])
        warehouse.land(divide([decoded(event, place)]))
        assert all(before[key] <= standing for key, standing in warehouse.lookups["accounts"].items() if key in before)


reads = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(1, 8), st.integers(0, 3)), max_size=8)


@given(reads, st.data())
def test_counts_add_up_to_the_offsets_consumed(fetches: list[tuple[int, int, int, int]], data: st.DataObject) -> None:
    """Fetches overlap and have holes: outcomes less redeliveries and plus what is missing are the offsets."""
    known: dict[tuple[str, int], int] = {}
    firsts: dict[tuple[str, int], int] = {}
    totals: dict[tuple[str, int], int] = {}
    for partition, first, length, hole in fetches:
        offsets = [*range(first, first + length), *range(first + length + hole, first + 2 * length + hole)]
        records = [RawRecord("t", partition, offset, 0, None, None) for offset in offsets]
        outcomes = {place: data.draw(st.sampled_from(Outcome)) for place in range(len(records))}
        for place, consumed in count(records, outcomes, known).items():
            firsts.setdefault(place, consumed.first_offset)
            known[place] = max(known.get(place, 0), consumed.next_offset)
            added = sum(consumed.outcomes.values()) - consumed.redelivered + consumed.missing
            totals[place] = totals.get(place, 0) + added

    assert totals == {place: known[place] - firsts[place] for place in known}
