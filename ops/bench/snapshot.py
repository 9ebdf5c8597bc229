"""Snapshot and catch-up: tickets that exist before capture begins, until all have landed, beside the sink and a replica."""

import re
import time
from collections.abc import Callable, Iterator
from functools import partial

import httpx

from connectors import register
from ops.bench import jdbc_sink, replica
from ops.bench.cost import Meter
from ops.bench.figures import Figure, Say, figures
from ops.bench.sizes import Sizes
from ops.bench.stand import Stand, standing
from ops.stack import topics
from stream.kafka import KafkaAccess

NAME = "snapshot"
PATIENCE_SECONDS = 900.0
FILL = """
insert into enrichment.ticket_signals
select gen_random_uuid(), timestamptz '2026-01-01' + i * interval '1 second', 'zendesk', 't' || i, 'account-' || i % 500,
    (array['positive', 'neutral', 'negative'])[i % 3 + 1], (i % 200 - 100) / 100.0, 'high', 'medium',
    array['refund', 'double charge', 'billing'], 'billing', 'Billing',
    jsonb_build_object('handle_time_seconds', i, 'reopened', false, 'topics', array['invoice', 'card']),
    'https://support.example.com/tickets/' || i, repeat('I was charged twice for the same month and nobody answers. ', 2),
    'zendesk:' || i || ':1', 1
from generate_series(1, {tickets}) as i
"""


def run(sizes: Sizes, say: Say) -> Iterator[Figure]:
    """Ours, then PostgreSQL's initial copy, then the sink behind a connector of its own."""
    tickets = sizes.snapshot_tickets
    with standing("postgres", "kafka", gigabytes=10) as stand:
        fill(stand, tickets)
        say(f"{tickets:,} tickets in the store")
        stand.start("worker")
        stand.start("connect", settle=False)
        yield from _measured(stand, say, "ours", tickets, (partial(_capture, stand), _ours(stand, tickets)), "worker", "connect")
        stand.stop("worker")
        httpx.delete(f"{stand.stack.connect_url}/connectors/{register.CONNECTOR_NAME}", timeout=30).raise_for_status()
        subscribe = partial(replica.subscribe, stand, copy_data=True, stamped=False)
        yield from _measured(stand, say, "logical replication", tickets, (subscribe, _replicated(stand)))
        replica.unsubscribe(stand)
        yield from _sink(stand, say, tickets)


def fill(stand: Stand, tickets: int) -> None:
    """Make so many tickets in the store."""
    with stand.store() as store:
        store.execute(FILL.format(tickets=tickets).encode())
        store.execute("analyze enrichment.ticket_signals")
        store.execute("checkpoint")


def topics_of(prefix: str) -> tuple[topics.Topic, ...]:
    """The topics that a second connector with this prefix writes, partitioned as ours."""
    ours = [topic for topic in topics.TOPICS if topic.name.startswith(("cx.enrichment", "__debezium"))]
    return tuple(topics.Topic(re.sub(r"\bcx\b", prefix, topic.name), topic.partitions, 1) for topic in ours)


def _capture(stand: Stand) -> None:
    register.register(stand.stack.connect_url, register.load_configuration())


def _ours(stand: Stand, tickets: int) -> Callable[[], bool]:
    return _counts(stand, "select coalesce(sum(applied), 0) from landing.consumed_records", tickets)


def _replicated(stand: Stand) -> Callable[[], bool]:
    def done() -> bool:
        with replica.connect(stand) as connection:
            return replica.copied(connection)

    return done


def _sink(stand: Stand, say: Say, tickets: int) -> Iterator[Figure]:
    """The sink, and a second connector that snapshots for it."""
    jdbc_sink.start(stand)
    topics.ensure(KafkaAccess(stand.stack.kafka_bootstrap), topics_of("peer"))
    jdbc_sink.sink(stand, "measured", "peer.enrichment.ticket_signals")
    configuration = register.load_configuration() | {"topic.prefix": "peer", "slot.name": "peer"}
    done = _counts(stand, f"select count(*) from {jdbc_sink.TABLE}", tickets)
    begin = partial(register.register, stand.stack.connect_url, configuration, "peer")
    yield from _measured(stand, say, "JDBC sink, 2 tasks", tickets, (begin, done), jdbc_sink.NAME, "connect")


def _counts(stand: Stand, query: str, wanted: int) -> Callable[[], bool]:
    def done() -> bool:
        time.sleep(0.2)
        with stand.warehouse() as warehouse:
            row = warehouse.execute(query.encode()).fetchone()
        return bool(row and row[0] >= wanted)

    return done


def _measured(
    stand: Stand, say: Say, subject: str, tickets: int, acts: tuple[Callable[[], None], Callable[[], bool]], *families: str
) -> list[Figure]:
    """Seconds from what begins the capture until all is there (`acts`)."""
    begin, done = acts
    meter, began = Meter(stand.pids(*families, "postgres", "kafka")), time.perf_counter()
    begin()
    stand.wait_until(done, PATIENCE_SECONDS, f"{subject}: the end of the snapshot")
    seconds = time.perf_counter() - began
    cpu = sum(meter.read().values())
    say(f"{subject}: {seconds:.1f} s")
    return figures(NAME, subject, {"seconds": seconds, "tickets/s": tickets / seconds, "CPU s per million": cpu / tickets * 1e6})
