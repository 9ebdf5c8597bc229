"""Faust's Kafka consumer, taking whole fetches: one Faust message per fetch, and offsets that follow the landing alone.

Faust spends about 0.1 ms on every message. Here a message holds every record of one fetch, over all partitions, so that
this cost is paid per batch. Faust's own offset bookkeeping (per message, with gaps) cannot describe that and is replaced:
the only committable offsets are those the app reports as landed.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

from aiokafka.errors import IllegalStateError
from faust.transport.drivers.aiokafka import Consumer, Transport
from faust.types import TP, Message


class BatchConsumer(Consumer):  # type: ignore[misc]  # faust has no types
    """Yields one message per fetch; commits what `landed` was told, nothing else."""

    LINGER_SECONDS = 0.02  # a small fetch waits this long for company: one transaction instead of many
    ENOUGH_RECORDS = 500

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._landed: dict[TP, int] = {}

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """Fetch once and yield the records of all partitions as the value of one message."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        generation = self.app.consumer_generation_id
        fetched, active = await self._wait_next_records(timeout)
        if fetched and self.flow_active and sum(map(len, fetched.values())) < self.ENOUGH_RECORDS:
            await asyncio.sleep(self.LINGER_SECONDS)
            more = await self._getmany(active, 0)
            for tp, records in (more or {}).items():
                fetched.setdefault(tp, []).extend(records)
        if not self.flow_active or generation != self.app.consumer_generation_id:
            await self._read_again()
        elif fetched and not self.should_stop:
            records = [record for tp, several in fetched.items() if tp in active for record in several]
            if records:
                last = records[-1]
                tp = TP(last.topic, last.partition)
                message = self._to_message(tp, last)
                message.value, message.key = records, None
                yield tp, message

    async def _read_again(self) -> None:
        """Go back to what is committed: a fetch across a rebalance is dropped, but has moved the positions past its records.

        When the rebalance takes partitions away meanwhile there is nothing to go back for: the assignment that follows starts
        at what is committed.
        """
        if not self.assignment():
            return
        with suppress(IllegalStateError, AssertionError):  # aiokafka asserts that there is an assignment
            await self.perform_seek()
            never_committed = [tp for tp in self.assignment() if self._committed_offset.get(tp) is None]
            for tp, offset in (await self.earliest_offsets(*never_committed)).items() if never_committed else ():
                await self.seek(tp, offset)

    def landed(self, offsets: dict[TP, int], generation: int) -> None:
        """Allow these offsets (each the next one to read) to be committed. Rule 8: called after the warehouse commit only.

        A batch fetched before a rebalance is not reported: its partitions are read again from the committed offset.
        """
        if generation == self.app.consumer_generation_id:
            self._landed.update(offsets)

    def ack(self, message: Message) -> bool:
        """Faust is done with a message, landed or skipped; that says nothing about offsets."""
        message.acked = True
        self._unacked_messages.discard(message)
        if self._waiting_for_ack is not None and not self._waiting_for_ack.done():
            self._waiting_for_ack.set_result(None)
        return True

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit what has landed, then forget it."""
        await super().on_partitions_revoked(revoked)
        self._landed.clear()

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return iter([tp for tp in self._landed if topics is None or tp in topics or tp.topic in topics])

    def _new_offset(self, tp: TP) -> int | None:
        return self._landed.get(tp)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Fetches leave no gaps that matter: landed offsets are absolute."""

    async def waiting(self) -> dict[TP, int]:
        """Records behind what has landed, or behind the place where reading starts, in each assigned partition."""
        partitions = list(self.assignment())
        ends = await self.highwaters(*partitions)
        starts = {tp: self._landed.get(tp) or await self.position(tp) or 0 for tp in partitions}
        return {tp: max(0, ends.get(tp, 0) - starts[tp]) for tp in partitions}


class BatchTransport(Transport):  # type: ignore[misc]
    """Kafka, by whole fetches."""

    Consumer = BatchConsumer
