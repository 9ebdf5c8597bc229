"""Landing rate: a backlog in Kafka → durable rows, our workers beside the JDBC sink, on the same topic and server."""

from collections.abc import Iterator, Sequence

from ops.bench import jdbc_sink
from ops.bench.backlog import fill
from ops.bench.drain import Drained, drain
from ops.bench.events import PARTITIONS, TOPIC, Event
from ops.bench.figures import Figure, Say, figures
from ops.bench.sizes import Sizes
from ops.bench.stand import Stand, standing
from ops.stack import topics
from stream.kafka import KafkaAccess

NAME = "landing"
WARMUP = "bench.warmup"
EMPTY = "truncate landing.ticket_signals, landing.ticket_signal_versions, landing.consumed_records"
SINK = "JDBC sink, 2 tasks"


def run(sizes: Sizes, say: Say) -> Iterator[Figure]:
    """Ours with one worker and with two, then the sink."""
    with standing("postgres", "kafka", gigabytes=6) as stand:
        tickets = sizes.backlog_events // 2
        last = fill(stand.stack.kafka_bootstrap, TOPIC, range(sizes.backlog_events), tickets)
        say(f"{sizes.backlog_events:,} events in Kafka")
        ours: dict[int, Drained] = {}
        for workers in (1, 2):
            ours[workers] = ours_with(stand, workers, last, sizes.backlog_events)
            yield from _figures(f"ours, {workers} worker{'s' * (workers > 1)}", ours[workers], "worker")
            say(f"ours with {workers}: {ours[workers].rate:,.0f} events/s")
        theirs = sink(stand, last, sizes)
        yield from _figures(SINK, theirs, "connect")
        say(f"JDBC sink: {theirs.rate:,.0f} events/s")
    ratio = theirs.cpu_per_million() / ours[1].cpu_per_million()
    yield Figure(NAME, "ours, 1 worker", "events per CPU second, times the sink's", round(ratio, 2), "3")


def ours_with(stand: Stand, workers: int, last: Sequence[Event], total: int) -> Drained:
    """Drain the topic with so many workers of a new group into empty tables."""
    with stand.warehouse() as warehouse:
        warehouse.execute(EMPTY)
        warehouse.execute("checkpoint")
    names = [f"worker-{workers}-{number}" for number in range(workers)]
    for name in names:
        stand.start_worker(name, CX_CONSUMER_GROUP=f"bench-{workers}", CX_WORKER_METRICS_PORT="0")
    drained = drain(stand, "landing.ticket_signals", last, total, stand.pids(*names, "postgres", "kafka"))
    stand.stop(*names)
    cpu = {"worker": sum(drained.cpu[name] for name in names), "postgres": drained.cpu["postgres"], "kafka": drained.cpu["kafka"]}
    return Drained(drained.events, drained.seconds, cpu)


def sink(stand: Stand, last: Sequence[Event], sizes: Sizes) -> Drained:
    """Drain the topic with the peer, its JVM warmed by another topic before."""
    jdbc_sink.start(stand)
    topics.ensure(KafkaAccess(stand.stack.kafka_bootstrap), (topics.Topic(WARMUP, PARTITIONS, 1),))
    warm = fill(stand.stack.kafka_bootstrap, WARMUP, range(sizes.warmup_events), sizes.warmup_events)
    jdbc_sink.sink(stand, "warm", WARMUP)
    drain(stand, jdbc_sink.TABLE, warm, sizes.warmup_events + 1, {})
    jdbc_sink.remove(stand, "warm")
    with stand.warehouse() as warehouse:
        warehouse.execute(EMPTY)
        warehouse.execute("checkpoint")
    jdbc_sink.sink(stand, "measured", TOPIC)
    drained = drain(stand, jdbc_sink.TABLE, last, sizes.backlog_events, stand.pids(jdbc_sink.NAME, "postgres", "kafka"))
    stand.stop(jdbc_sink.NAME)
    return Drained(drained.events, drained.seconds, {"connect" if n == jdbc_sink.NAME else n: v for n, v in drained.cpu.items()})


def _figures(subject: str, drained: Drained, reader: str) -> list[Figure]:
    return figures(NAME, subject, {
        "events/s": drained.rate,
        "CPU s per million": drained.cpu_per_million(),
        "of it worker or Connect": drained.cpu_per_million(reader),
        "PostgreSQL": drained.cpu_per_million("postgres"),
        "broker": drained.cpu_per_million("kafka"),
    })  # fmt: skip
