"""Landing rate: a backlog in Kafka → durable rows, our workers beside the JDBC sink, on the same events and server.

The sink needs schemas and by its converters' defaults finds them in every record; its last drain is kinder: they are given to the
converters once, and it reads our worker's topic. Every round measures each reader once, so that a slow minute is everybody's;
what is told are the rounds' medians.
"""

from collections.abc import Callable, Iterator, Sequence
from statistics import median

from ops.bench import jdbc_sink, schemas
from ops.bench.backlog import fill
from ops.bench.cost import Meter
from ops.bench.drain import Drained, drain
from ops.bench.events import PARTITIONS, TOPIC, Event
from ops.bench.figures import Figure, Say, figures
from ops.bench.sizes import Sizes
from ops.bench.stand import Stand, standing
from ops.stack import topics
from stream.kafka import KafkaAccess

NAME = "landing"
EMPTY = "truncate landing.ticket_signal_versions, landing.consumed_records"
OURS, OURS_TWICE = "ours, 1 worker", "ours, 2 workers"
SINK, WARM_SINK, INFORMED_SINK = "JDBC sink, 2 tasks", "JDBC sink again, its JVM warm", "JDBC sink, warm, schemas given once"
WITH_SCHEMAS = "bench.ticket_signals.with_schemas"
Rounds = dict[str, list[Drained]]


def run(sizes: Sizes, say: Say) -> Iterator[Figure]:
    """Ours with one worker and with two; the sink in a new process, once more in the same, then without schemas to read."""
    total = sizes.backlog_events
    rounds: Rounds = {OURS: [], OURS_TWICE: [], SINK: [], WARM_SINK: [], INFORMED_SINK: []}
    with standing("postgres", "kafka", gigabytes=6) as stand:
        topics.ensure(KafkaAccess(stand.stack.kafka_bootstrap), (topics.Topic(WITH_SCHEMAS, PARTITIONS, retention_days=1),))
        fill(stand.stack.kafka_bootstrap, WITH_SCHEMAS, range(total), total // 2, schemas.event)
        last = fill(stand.stack.kafka_bootstrap, TOPIC, range(total), total // 2)
        say(f"{total:,} events in Kafka")
        for number in range(sizes.landing_rounds):
            rounds[OURS].append(ours_with(stand, 1, last, total, group=f"one-{number}"))
            rounds[OURS_TWICE].append(ours_with(stand, 2, last, total, group=f"two-{number}"))
            for name, one in zip((SINK, WARM_SINK, INFORMED_SINK), the_sinks(stand, last, total, number), strict=True):
                rounds[name].append(one)
            say(f"round {number + 1}: " + ", ".join(f"{name} {got[-1].cpu_per_million():.1f}" for name, got in rounds.items()))
    for subject, drained in rounds.items():
        yield from _figures(subject, drained)
    in_all = _median(rounds[SINK], Drained.in_all_per_million) / _median(rounds[OURS], Drained.in_all_per_million)
    yield Figure(NAME, OURS, "times the sink's, start included", round(in_all, 2), "3")
    warm = {WARM_SINK: ("times the warm sink's", "3"), INFORMED_SINK: ("times the warm sink's, schemas given once", "")}
    for sink, (name, goal) in warm.items():
        times = _median(rounds[sink], Drained.cpu_per_million) / _median(rounds[OURS], Drained.cpu_per_million)
        yield Figure(NAME, OURS, name, round(times, 2), goal)


def ours_with(stand: Stand, workers: int, last: Sequence[Event], total: int, group: str) -> Drained:
    """Drain the topic with so many workers of a new group into empty tables."""
    meter = _emptied(stand)
    names = [f"worker-{group}-{number}" for number in range(workers)]
    for name in names:
        stand.start_worker(name, CX_CONSUMER_GROUP=f"bench-{group}", CX_WORKER_METRICS_PORT="0")
    meter.join(stand.pids(*names))
    drained = drain(stand, "landing.ticket_signal_versions", last, total, meter)
    stand.stop(*names)
    return _by_role(drained, names)


def the_sinks(stand: Stand, last: Sequence[Event], total: int, number: int) -> list[Drained]:
    """Drain with the peer in a new process; again, when its JVM has compiled what it needs; and again without schemas to read."""
    found: list[Drained] = []
    for topic in (WITH_SCHEMAS, WITH_SCHEMAS, TOPIC):
        name = f"sink-{number}-{len(found)}"
        meter = _emptied(stand)
        if not found:
            jdbc_sink.start(stand)
        meter.join(stand.pids(jdbc_sink.NAME))
        jdbc_sink.sink(stand, name, topic, knows_schemas=topic == TOPIC)
        found.append(_by_role(drain(stand, jdbc_sink.TABLE, last, total, meter), [jdbc_sink.NAME]))
        jdbc_sink.remove(stand, name)
    stand.stop(jdbc_sink.NAME)
    return found


def _emptied(stand: Stand) -> Meter:
    """Nothing in landing, nothing to be written back; a meter of what is there already."""
    with stand.warehouse() as warehouse:
        warehouse.execute(EMPTY)
        warehouse.execute("checkpoint")
    return Meter(stand.pids("postgres", "kafka"))


def _by_role(drained: Drained, readers: Sequence[str]) -> Drained:
    """The same with all readers as one."""

    def summed(cpu: dict[str, float]) -> dict[str, float]:
        servers = {name: seconds for name, seconds in cpu.items() if name not in readers}
        return {"reader": sum(cpu[name] for name in readers), **servers}

    return Drained(drained.events, drained.total, drained.seconds, summed(drained.cpu), summed(drained.in_all))


def _figures(subject: str, rounds: Sequence[Drained]) -> list[Figure]:
    values = {
        "events/s": _median(rounds, lambda one: one.rate),
        "CPU s per million": _median(rounds, Drained.cpu_per_million),
        "of it worker or Connect": _median(rounds, lambda one: one.cpu_per_million("reader")),
        "PostgreSQL": _median(rounds, lambda one: one.cpu_per_million("postgres")),
        "broker": _median(rounds, lambda one: one.cpu_per_million("kafka")),
    }
    if subject not in (WARM_SINK, INFORMED_SINK):
        values["the same with its start"] = _median(rounds, Drained.in_all_per_million)
    return figures(NAME, subject, values)


def _median(rounds: Sequence[Drained], number: Callable[[Drained], float]) -> float:
    return median(number(one) for one in rounds)
