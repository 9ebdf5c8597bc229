"""Which records of a topic are news of their ticket: the greatest ce_sequence wins, whatever arrives when and how often. Pure."""

from collections.abc import Mapping, Sequence

from connectors.outbound.webhooks.messages import Event, Ticket

Heard = Mapping[Ticket, str]  # the greatest sequence of each ticket


def news(events: Sequence[Event], heard: Heard) -> tuple[list[Event], dict[Ticket, str]]:
    """The events that are newer than everything heard of their ticket before, and what is heard with them.

    An event without a sequence is none of the relay's: it cannot be compared, and passes.
    """
    newer: list[Event] = []
    now: dict[Ticket, str] = {}
    for event in events:
        if event.sequence and event.sequence <= now.get(event.ticket, heard.get(event.ticket, "")):
            continue
        newer.append(event)
        if event.sequence:
            now[event.ticket] = event.sequence
    return newer, now
