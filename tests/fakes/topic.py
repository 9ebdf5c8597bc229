"""Topics in memory: what a consumer would read, in order. It may lose its answer after it took a part of a batch."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from connectors.outbound.relay.events import Outgoing
from connectors.outbound.relay.topics import NotSent


class Arrived(NamedTuple):
    """One record as a consumer sees it."""

    topic: str
    ticket: tuple[str, str]
    value: dict[str, Any] | None
    headers: dict[str, str]


def arrived(topic: str, key: bytes, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> Arrived:
    """Read a record as a consumer does."""
    identity = json.loads(key)
    ticket = (identity["source_system"], identity["ticket_id"])
    return Arrived(topic, ticket, None if value is None else json.loads(value), {n: v.decode() for n, v in headers})


@dataclass
class FakeTopics:
    """Stands in for connectors.outbound.relay.topics.Topics. `takes`: so many records, then one answer is lost."""

    records: list[Arrived] = field(default_factory=list)
    takes: int | None = None

    async def send(self, records: Iterable[Outgoing]) -> int:
        several = list(records)
        taken = several if self.takes is None else several[: self.takes]
        self.records += [arrived(*one) for one in taken]
        if self.takes is not None and len(several) > self.takes:
            self.takes = None
            raise NotSent("the answer is lost")
        return len(several)

    async def stop(self) -> None:
        """Nothing is held."""

    def of(self, topic: str) -> list[Arrived]:
        return [one for one in self.records if one.topic == topic]
