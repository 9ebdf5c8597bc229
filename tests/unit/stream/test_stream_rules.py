"""The rules by property: the result depends on the set of events alone."""

from collections import Counter
from itertools import pairwise
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert

from stream.core.batch import Batch, divide
from stream.core.content import signal_hash
from stream.core.contract.rows import TicketSignal
from stream.core.outcomes import Outcome
from stream.core.records import Change, Deletion
from tests.fakes.memory_warehouse import MemoryWarehouse
from tests.unit.stream.events import RawRecord, record, signal

TICKETS, KEYS = ("t1", "t2", "t3"), ("k1", "k2", "k3", "k4")


class Write(NamedTuple):
    """One write of a version."""

    ticket: str
    key: str
    version: int
    driver: str
    position: int


class Delete(NamedTuple):
    """One delete of a ticket."""

    ticket: str
    position: int


Event = Write | Delete
positions = st.integers(1, 15)
writes = st.builds(Write, st.sampled_from(TICKETS), st.sampled_from(KEYS), st.integers(1, 3), st.sampled_from("AB"), positions)
deletes = st.builds(Delete, st.sampled_from(TICKETS), positions)
repeated_writes = st.builds(Write, st.just("t1"), st.just("k1"), st.just(1), st.sampled_from("AB"), positions)
event_lists = st.lists(st.one_of(writes, writes, writes, deletes), max_size=14)
cuts = st.lists(st.integers(0, 30), max_size=8)
ROWS: dict[tuple[str, str, int, str], tuple[TicketSignal, bytes]] = {}


def change_of(write: Write, origin: RawRecord) -> Change:
    """The decoded form of a write."""
    if write[:4] not in ROWS:
        row = convert(signal(write.ticket, write.version, idempotency_key=write.key, driver=write.driver), TicketSignal)
        ROWS[write[:4]] = row, signal_hash(row, {})
    row, content_hash = ROWS[write[:4]]
    return Change(origin, "ticket_signals", ("zendesk", write.ticket), row, write.position, content_hash, None, None)


def decoded(event: Event, place: int) -> Change | Deletion:
    """The decoded form of an event."""
    origin = record(None, place)
    if isinstance(event, Write):
        return change_of(event, origin)
    return Deletion(origin, "ticket_signals", ("zendesk", event.ticket), event.position, None)


def batches(events: list[Event], at: list[int]) -> list[Batch]:
    """The events in order, cut into batches at these places."""
    edges = sorted({0, len(events), *(cut for cut in at if cut < len(events))})
    return [divide([decoded(event, place) for place, event in enumerate(events[low:high])]) for low, high in pairwise(edges)]


def landed(events: list[Event], at: list[int], always_untangle: bool = False) -> MemoryWarehouse:
    """A warehouse after these batches."""
    warehouse = MemoryWarehouse(always_untangle=always_untangle)
    for batch in batches(events, at):
        warehouse.land(batch)
    return warehouse


def contents(warehouse: MemoryWarehouse) -> tuple[object, ...]:
    return warehouse.standing, warehouse.conflicts, warehouse.ended, warehouse.latest


def by_the_book(events: list[Event]) -> tuple[object, ...]:
    """The rules of the design, word for word, over the whole set at once: (standing, conflicts, ends, latest versions)."""
    ends: dict[str, int] = {}
    for event in events:
        if isinstance(event, Delete):
            ends[event.ticket] = max(ends.get(event.ticket, 0), event.position)
    seen: dict[tuple[str, str, int, str], set[int]] = {}
    for event in events:
        if isinstance(event, Write) and event.position > ends.get(event.ticket, 0):
            seen.setdefault(event[:4], set()).add(event.position)
    order = sorted(seen, key=lambda content: (min(seen[content]), ROWS[content][1]))
    standing: list[tuple[str, str, int, str]] = []
    for content in order:
        key_free = all(other[1] != content[1] for other in standing)
        version_free = all((other[0], other[2]) != (content[0], content[2]) for other in standing)
        if key_free and version_free:
            standing.append(content)
    latest = {ticket: max(other[2] for other in standing if other[0] == ticket) for ticket, *_ in standing}
    return {c: seen[c] for c in standing}, {c: seen[c] for c in order if c not in standing}, ends, latest


def as_in_the_book(warehouse: MemoryWarehouse) -> tuple[object, ...]:
    contents_by_id = {(content[1], digest): content for content, (_, digest) in ROWS.items()}
    return (
        {contents_by_id[one]: set(known.positions) for one, known in warehouse.standing.items()},
        {contents_by_id[one]: set(known.positions) for one, known in warehouse.conflicts.items()},
        {ticket: position for (_, ticket), position in warehouse.ended.items()},
        {ticket: warehouse.standing[one].version for (_, ticket), one in warehouse.latest.items()},
    )


@given(event_lists, cuts)
def test_the_result_is_what_the_rules_say_of_the_whole_set(events: list[Event], at: list[int]) -> None:
    """Folding batch by batch ends where the rules, read over all events at once, end."""
    warehouse = landed(events, at)

    assert by_the_book(events) == as_in_the_book(warehouse)


@given(event_lists, cuts, st.data())
def test_order_repetition_and_cutting_do_not_matter(events: list[Event], at: list[int], data: st.DataObject) -> None:
    """Any permutation with any repetitions, cut anywhere, gives the same warehouse."""
    repeated = events + (data.draw(st.lists(st.sampled_from(events), max_size=6)) if events else [])
    shuffled = data.draw(st.permutations(repeated))

    assert contents(landed(events, [])) == contents(landed(shuffled, at))


@given(event_lists, cuts, cuts)
def test_a_replay_is_a_no_op(events: list[Event], at: list[int], again: list[int]) -> None:
    """Landing everything a second time changes nothing and applies nothing."""
    warehouse = landed(events, at)
    before = contents(warehouse)
    before = tuple(dict(part) for part in before)  # type: ignore[call-overload]

    outcomes = [outcome for batch in batches(events, again) for outcome in warehouse.land(batch).values()]

    assert before == contents(warehouse)
    assert not {Outcome.APPLIED, Outcome.DELETED} & set(outcomes)


@given(event_lists, cuts)
def test_the_quick_way_equals_the_thorough_one(events: list[Event], at: list[int]) -> None:
    """Untangled tickets end as they would if everything were untangled, and their records have the same outcomes."""
    quick, thorough = MemoryWarehouse(), MemoryWarehouse(always_untangle=True)
    for batch in batches(events, at):
        assert quick.land(batch) == thorough.land(batch)

    assert contents(quick) == contents(thorough)


@given(event_lists, cuts)
def test_every_record_has_one_outcome(events: list[Event], at: list[int]) -> None:
    """Every record of every batch ends as exactly one outcome, and the counts add up."""
    warehouse = MemoryWarehouse()
    counted: Counter[Outcome] = Counter()
    for batch in batches(events, at):
        outcomes = warehouse.land(batch)
        assert outcomes.keys() == set(range(len(batch.records)))
        counted.update(outcomes.values())

    assert len(events) == counted.total()


@given(event_lists)
def test_versions_never_go_back_within_a_life(events: list[Event]) -> None:
    """While a ticket lives and no earlier claim displaces its versions, its latest version only grows."""
    distinct = [e if isinstance(e, Delete) else e._replace(key=f"{e.ticket}:{e.version}", driver="A") for e in events]
    warehouse = MemoryWarehouse()
    for place, event in enumerate(distinct):
        before = {ticket: warehouse.standing[one].version for ticket, one in warehouse.latest.items()}
        ended = dict(warehouse.ended)
        warehouse.land(divide([decoded(event, place)]))
        for ticket, one in warehouse.latest.items():
            if ended.get(ticket) == warehouse.ended.get(ticket):
                assert before.get(ticket, 0) <= warehouse.standing[one].version


@given(event_lists, st.sampled_from(TICKETS), st.permutations(range(15)))
def test_nothing_at_or_before_a_delete_returns(events: list[Event], ticket: str, order: list[int]) -> None:
    """After a delete at the highest position, no event of the ticket is left or ever comes back."""
    ending: list[Event] = [*events, Delete(ticket, 15)]
    shuffled = [ending[place] for place in order if place < len(ending)]
    warehouse = landed(shuffled, [3, 7])
    for batch in batches(events, [4]):
        warehouse.land(batch)

    left = (*warehouse.standing.values(), *warehouse.conflicts.values())
    assert not any(one.ticket == ("zendesk", ticket) for one in left)


@given(st.lists(st.one_of(repeated_writes, repeated_writes, st.builds(Delete, st.just("t1"), positions)), max_size=10), cuts)
def test_a_row_comes_from_its_present_life(events: list[Event], at: list[int]) -> None:
    """Consumed in the order of their positions and cut anywhere, every standing row is that of an event after the last delete."""
    warehouse = landed(sorted(events, key=lambda event: event.position), at)

    for identity, one in (*warehouse.standing.items(), *warehouse.conflicts.items()):
        assert warehouse.rows[identity].position in one.positions
