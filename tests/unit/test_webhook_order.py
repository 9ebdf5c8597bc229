"""Webhooks: records of a topic in any order, repeated, and cut into batches anywhere."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from connectors.outbound.relay.snapshots import CHANGED, sequence
from connectors.outbound.webhooks.messages import Event, Ticket, read
from connectors.outbound.webhooks.order import news

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
EVENTS = st.builds(
    lambda ticket, place: Event(("zendesk", ticket), f"{ticket}:{place}", NOW, {}, sequence=sequence(1, place, CHANGED, 0)),
    st.sampled_from(["t1", "t2"]),
    st.integers(1, 300),
)


@given(st.lists(st.lists(EVENTS, max_size=6), max_size=6))
def test_what_passes_of_a_ticket_only_grows_and_ends_with_its_newest(batches: list[list[Event]]) -> None:
    """Whatever the order, the repetitions and the batches: never an older record, no record twice, and the newest is told."""
    heard: dict[Ticket, str] = {}
    passed: dict[Ticket, list[str]] = {}
    for batch in batches:
        newer, now = news(batch, heard)
        heard |= now
        for event in newer:
            passed.setdefault(event.ticket, []).append(event.sequence)

    everything = [event for batch in batches for event in batch]
    newest = {event.ticket: max(one.sequence for one in everything if one.ticket == event.ticket) for event in everything}
    assert all(told == sorted(set(told)) for told in passed.values())
    assert {ticket: told[-1] for ticket, told in passed.items()} == newest == heard


def test_a_record_without_a_sequence_passes() -> None:
    """What cannot be compared is told, and does not change what was heard."""
    event = Event(("zendesk", "t1"), "t1:1", NOW, {})

    assert news([event, event], {event.ticket: "0001"}) == ([event, event], {})


def test_the_sequence_is_read_from_its_header() -> None:
    """ce_sequence as it stands on the topic, on a tombstone too."""
    key = b'{"source_system": "zendesk", "ticket_id": "t1"}'

    assert read(key, None, [("ce_sequence", b"0001-2-0-3")], NOW).sequence == "0001-2-0-3"
