"""How long a landed change takes to a consumer of cx.signals.v1: `python -m tests.topic_latency --rate 200 --for 30`.

`cx simulate` writes into a running system (`cx up`) while a consumer reads the topic. One figure per record: when it arrived,
less its ce_time, which is taken just before the warehouse commits; both by this machine's clock.
"""

import argparse
import asyncio
import os
import sys
import time
from datetime import datetime
from pathlib import Path
from statistics import quantiles

from aiokafka import AIOKafkaConsumer

from ops import kafka_access
from ops.settings import load
from stream.kafka import KafkaAccess

TOPIC = "cx.signals.v1"
AFTERWARDS_SECONDS = 5.0


async def measure(kafka: KafkaAccess, rate: float, seconds: float) -> list[float]:
    """Seconds per record, of all that arrived while the simulation ran and shortly after."""
    found: list[float] = []
    async with AIOKafkaConsumer(TOPIC, **kafka.client, auto_offset_reset="latest", fetch_max_wait_ms=50) as consumer:
        await consumer.getmany(timeout_ms=1000)
        reading = asyncio.create_task(_read(consumer, found))
        program = [str(Path(sys.executable).parent / "cx"), "simulate", "--rate", str(rate), "--for", str(seconds), "--json"]
        process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.DEVNULL)
        await process.wait()
        await asyncio.sleep(AFTERWARDS_SECONDS)
        reading.cancel()
    return found


async def _read(consumer: AIOKafkaConsumer, found: list[float]) -> None:
    async for record in consumer:
        landed = datetime.fromisoformat(dict(record.headers)["ce_time"].decode())
        found.append(time.time() - landed.timestamp())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Landing to a consumer of cx.signals.v1, on the running system (`cx up`).")
    parser.add_argument("--rate", type=float, default=200, help="events per second")
    parser.add_argument("--for", dest="seconds", type=float, default=30, help="seconds")
    choices = parser.parse_args()
    load_before = os.getloadavg()[0]
    measured = asyncio.run(measure(kafka_access.chosen(load()), choices.rate, choices.seconds))
    spread = quantiles(measured, n=100)
    print(  # noqa: T201
        f"{len(measured)} records at {choices.rate:g} events/s: landing to consumer p50 {spread[49]:.3f} s,"
        f" p95 {spread[94]:.3f} s, p99 {spread[98]:.3f} s, max {max(measured):.3f} s;"
        f" load average {load_before:.1f} to {os.getloadavg()[0]:.1f}"
    )
