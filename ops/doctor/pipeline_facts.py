"""Ask Kafka and Kafka Connect for the facts of `pipeline`."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from ops.doctor.pipeline import PLUGIN, ConnectFacts, TopicFacts
from stream.kafka import KafkaAccess, KafkaUnreachable, administering

ASKED = {"cleanup.policy", "retention.ms", "max.compaction.lag.ms"}


class NoAnswer(Exception):
    """A part does not answer; the message is its client's."""


def topic_facts(kafka: KafkaAccess, names: Sequence[str]) -> dict[str, TopicFacts]:
    """The topics that exist. Raises NoAnswer."""
    try:
        return asyncio.run(_topic_facts(kafka, names))
    except KafkaUnreachable as error:
        raise NoAnswer(str(error)) from error


async def _topic_facts(kafka: KafkaAccess, names: Sequence[str]) -> dict[str, TopicFacts]:
    async with administering(kafka, request_timeout_ms=10_000) as admin:
        described = [entry for entry in await admin.describe_topics(list(names)) if not entry["error_code"]]
        known = [entry["topic"] for entry in described]
        asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in known]
        answers = await admin.describe_configs(asked) if asked else []
        configurations = {resource[3]: _configuration(resource[4]) for answer in answers for resource in answer.resources}
        return {
            entry["topic"]: TopicFacts(len(entry["partitions"]), configurations.get(entry["topic"], {})) for entry in described
        }


def _configuration(entries: Sequence[Sequence[Any]]) -> dict[str, str]:
    return {entry[0]: entry[1] for entry in entries if entry[0] in ASKED}


def connect_facts(connect_url: str, name: str = "enrichment") -> ConnectFacts:
    """What Connect says of itself and of the connector. Raises NoAnswer."""
    try:
        with httpx.Client(base_url=connect_url, timeout=10) as client:
            version = client.get("/").raise_for_status().json()["version"]
            plugins = client.get("/connector-plugins").raise_for_status().json()
            status = client.get(f"/connectors/{name}/status")
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise NoAnswer(str(error) or type(error).__name__) from error
    plugin = next((one["version"] for one in plugins if one["class"] == PLUGIN), None)
    if status.status_code != httpx.codes.OK:
        return ConnectFacts(version, plugin)
    body = status.json()
    traces = [part["trace"].splitlines()[0] for part in (body["connector"], *body["tasks"]) if part.get("trace")]
    return ConnectFacts(
        version, plugin, body["connector"]["state"], tuple(task["state"] for task in body["tasks"]), " ".join(traces[:1])
    )
