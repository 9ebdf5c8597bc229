"""What each setting of connector, producer and topic brings: the same snapshot into Kafka with one setting put back."""

import time
from collections.abc import Iterator
from statistics import median

import httpx

from connectors import register
from ops.bench.backlog import size
from ops.bench.cost import Meter
from ops.bench.figures import Figure, Say, figures
from ops.bench.sizes import Sizes
from ops.bench.snapshot import fill, topics_of
from ops.bench.stand import Stand, standing
from ops.stack import topics
from stream.kafka import KafkaAccess

NAME = "tuning"
FREED = "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = %s and not active"
WARM_UPS = 3  # snapshots until the JVM has compiled what it needs
VARIANTS = {
    "as shipped": {},
    "max.batch.size 2048, max.queue.size 8192 (defaults)": {"max.batch.size": "2048", "max.queue.size": "8192"},
    "poll.interval.ms 500 (default)": {"poll.interval.ms": "500"},
    "linger.ms 0": {"producer.override.linger.ms": "0"},
    "no compression": {"producer.override.compression.type": "none"},
    "acks 1": {"producer.override.acks": "1"},
    "batch.size 16 kB (default)": {"producer.override.batch.size": "16384"},
    "snapshot.fetch.size 2000": {"snapshot.fetch.size": "2000"},
    "schemas in each record": {"value.converter.schemas.enable": "true", "key.converter.schemas.enable": "true"},
}


def run(sizes: Sizes, say: Say) -> Iterator[Figure]:
    """All variants in turn, several rounds of it on one warm Kafka Connect; what is told are the rounds' medians."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in VARIANTS}
    with standing("postgres", "kafka", gigabytes=6) as stand:
        fill(stand, sizes.setting_tickets)
        stand.start("connect", settle=False)
        for number in range(WARM_UPS):
            _snapshot(stand, f"warmup{number}", {}, sizes.setting_tickets)
        for turn in range(sizes.setting_rounds):
            for number, (name, changed) in enumerate(VARIANTS.items()):
                found[name].append(_snapshot(stand, f"variant{number}round{turn}", changed, sizes.setting_tickets))
            say(f"round {turn + 1} of {sizes.setting_rounds}")
    for name, rounds in found.items():
        yield from figures(NAME, name, {what: median(one[what] for one in rounds) for what in rounds[0]})


def _snapshot(stand: Stand, prefix: str, changed: dict[str, str], tickets: int) -> dict[str, float]:
    """Snapshot into topics of this prefix; seconds and what it cost."""
    topics.ensure(KafkaAccess(stand.stack.kafka_bootstrap), topics_of(prefix))
    meter, began = Meter(stand.pids("connect", "postgres", "kafka")), time.perf_counter()
    configuration = register.load_configuration() | {"topic.prefix": prefix, "slot.name": prefix, **changed}
    register.register(stand.stack.connect_url, configuration, prefix)
    topic = f"{prefix}.enrichment.ticket_signals"
    stand.wait_until(lambda: size(stand.stack.kafka_bootstrap, topic) >= tickets, 300, "the snapshot")
    seconds, cpu = time.perf_counter() - began, sum(meter.read().values())
    stored = _bytes(stand, prefix)
    httpx.delete(f"{stand.stack.connect_url}/connectors/{prefix}", timeout=30).raise_for_status()
    with stand.store() as store:
        stand.wait_until(lambda: store.execute(FREED, [prefix]).rowcount == 1, 60, "the slot being free")
    return {"tickets/s": tickets / seconds, "CPU s per million": cpu / tickets * 1e6, "bytes per ticket": stored / tickets}


def _bytes(stand: Stand, prefix: str) -> int:
    """What the topic of tickets takes on the broker's disk."""
    data = stand.stack.run_directory / "broker" / "data"
    return sum(file.stat().st_size for file in data.glob(f"{prefix}.enrichment.ticket_signals-*/*.log"))
