"""Kafka, Kafka Connect and the connector. Pure functions over fetched facts."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ops.doctor.check import Check
from ops.stack.topics import Topic

PLUGIN = "io.debezium.connector.postgresql.PostgresConnector"
OLDEST_PLUGIN = (3, 7, 0)  # older ones lose events on a restart (dbz#1554, dbz#76)
DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True)
class TopicFacts:
    """A topic as Kafka describes it; `configuration` holds what differs between topics."""

    partitions: int
    configuration: Mapping[str, str]


@dataclass(frozen=True)
class ConnectFacts:
    """What Kafka Connect says. `plugin` is the version of Debezium's connector; `state` None: not registered."""

    version: str
    plugin: str | None
    state: str | None = None
    tasks: tuple[str, ...] = ()
    trace: str = ""


def topic_checks(expected: Sequence[Topic], found: Mapping[str, TopicFacts]) -> Iterator[Check]:
    """Partitions and retention of each topic."""
    for topic in expected:
        yield _topic(topic, found.get(topic.name))


def _topic(topic: Topic, facts: TopicFacts | None) -> Check:
    name = f"kafka: topic {topic.name}"
    if facts is None:
        return Check(name, False, "not there", "cx prepare")
    if facts.partitions != topic.partitions:
        remedy = (
            f"make it anew with {topic.partitions} partitions, then `cx backfill --all`: a ticket's order lives in one partition"
        )
        return Check(name, False, f"{facts.partitions} partitions, {topic.partitions} are agreed", remedy)
    policy = facts.configuration.get("cleanup.policy", "")
    if topic.is_compacted:
        return _compacted(topic, facts, policy)
    retention = int(facts.configuration.get("retention.ms", "-1"))
    mend = f"kafka-configs --alter --entity-type topics --entity-name {topic.name} --add-config "
    if policy != "delete":
        return Check(name, False, f"cleanup.policy {policy}: versions would be lost", f"{mend}cleanup.policy=delete")
    if 0 <= retention < topic.retention_days * DAY_MS:
        remedy = f"{mend}retention.ms={topic.retention_days * DAY_MS}"
        return Check(name, False, f"kept for {retention / DAY_MS:g} days, {topic.retention_days} are agreed", remedy)
    kept = "for ever" if retention < 0 else f"for {retention / DAY_MS:g} days"
    return Check(name, True, f"{facts.partitions} partitions, kept {kept}")


def _compacted(topic: Topic, facts: TopicFacts, policy: str) -> Check:
    """The newest record of each ticket stays, and what was deleted goes in time."""
    name = f"kafka: topic {topic.name}"
    mend = f"kafka-configs --alter --entity-type topics --entity-name {topic.name} --add-config "
    if policy != "compact":
        return Check(name, False, f"cleanup.policy {policy}: the state of old tickets is lost", f"{mend}cleanup.policy=compact")
    longest = topic.retention_days * DAY_MS
    if int(facts.configuration.get("max.compaction.lag.ms", 2**63 - 1)) > longest:
        found = f"erased tickets may be read for longer than {topic.retention_days} days"
        return Check(name, False, found, f"{mend}max.compaction.lag.ms={longest}")
    return Check(name, True, f"{facts.partitions} partitions, the newest record of each ticket")


def connect_checks(facts: ConnectFacts) -> Iterator[Check]:
    """Connect, the plugin's version, the connector and its task."""
    yield Check("connect: reachable", True, f"version {facts.version}")
    is_new = facts.plugin is not None and version_of(facts.plugin) >= OLDEST_PLUGIN
    remedy = "install debezium-connector-postgres 3.7.0.Final or newer into Connect's plugin.path"
    yield Check("connect: Debezium plugin", is_new, facts.plugin or "not there", remedy)
    if facts.state is None:
        yield Check("connect: connector", False, "not registered", "cx prepare")
        return
    runs = facts.state == "RUNNING" and bool(facts.tasks) and set(facts.tasks) == {"RUNNING"}
    found = f"{facts.state}, task {', '.join(facts.tasks) or 'missing'}" + (f": {facts.trace}" if facts.trace else "")
    restart = "curl -X POST $CX_CONNECT_URL/connectors/enrichment/restart?includeTasks=true"
    resume = "curl -X PUT $CX_CONNECT_URL/connectors/enrichment/resume"
    yield Check("connect: connector", runs, found, resume if facts.state in {"PAUSED", "STOPPED"} else restart)


def version_of(text: str) -> tuple[int, ...]:
    """`3.7.0.Final` is (3, 7, 0)."""
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])
