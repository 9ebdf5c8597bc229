"""What a fetch does that a rebalance overtakes; the rebalances themselves are real ones, in the fault tests."""

import asyncio
from pathlib import Path

import pytest
from aiokafka.errors import IllegalStateError
from faust.types import TP

from stream.app import AppSettings, create_app
from stream.batch_consumer import BatchConsumer
from stream.kafka import KafkaAccess

GONE = [
    IllegalStateError("No current assignment for partition TopicPartition(topic='t', partition=2)"),
    AssertionError("No partitions are currently assigned"),
]


@pytest.mark.parametrize("gone", GONE, ids=["another assignment", "no assignment"])
def test_partitions_that_go_while_the_consumer_goes_back_end_no_worker(
    gone: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fetch that a rebalance overtook yields nothing, whatever becomes of the partitions it came from.

    Guard: going back to what is committed bears that they are gone. Seen without: a worker ended when a second one joined, in
    about one join of four.
    """

    async def a_fetch_over_a_rebalance(_self: BatchConsumer, _timeout: float) -> tuple[dict[TP, list[object]], set[TP]]:
        app.consumer_generation_id += 1
        return {TP("t", 2): [object()]}, {TP("t", 2)}

    async def perform_seek(_self: BatchConsumer) -> None:
        raise gone

    async def fetch() -> list[object]:
        return [message async for message in app.consumer.getmany(0.0)]

    monkeypatch.setattr(BatchConsumer, "assignment", lambda _self: {TP("t", 2)})
    monkeypatch.setattr(BatchConsumer, "_wait_next_records", a_fetch_over_a_rebalance)
    monkeypatch.setattr(BatchConsumer, "_getmany", lambda *_: asyncio.sleep(0))
    monkeypatch.setattr(BatchConsumer, "perform_seek", perform_seek)
    app = create_app(AppSettings(KafkaAccess("unused:9092"), "group", ("t",), str(tmp_path)), None, print)  # type: ignore[arg-type]
    assert asyncio.run(fetch()) == []
