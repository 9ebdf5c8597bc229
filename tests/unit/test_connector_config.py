"""The connector file: explained key by key, without secrets, and of one mind with the store, the topics and the stack."""

import re

from connectors.register import CONFIGURATION, ConnectorStatus, load_configuration
from ops.settings import PROJECT_DIRECTORY
from ops.stack import kafka
from ops.stack.topics import LARGEST_RECORD_BYTES, TOPICS

README = CONFIGURATION.with_name("README.md").read_text()
STORE_DDL = (PROJECT_DIRECTORY / "connectors/store/migrations/versions/0001_enrichment.py").read_text()


def test_every_key_is_explained_in_the_table_beside_it() -> None:
    """The README's table has one row per key, in the same order."""
    explained = re.findall(r"^\| `([\w.]+)` \| .+ \|$", README, re.MULTILINE)

    assert explained == list(load_configuration())


def test_addresses_and_secrets_are_references_the_stack_resolves() -> None:
    """Everything about the database is an `${env:...}` reference, and `cx up` gives Connect exactly those variables."""
    database = {key: value for key, value in load_configuration().items() if key.startswith("database.")}
    referred = {match[1] for value in database.values() if (match := re.fullmatch(r"\$\{env:(\w+)}", value))}

    assert len(referred) == len(database)
    assert referred == set(kafka.capture_environment(_stack()))


def test_every_captured_table_is_published_and_has_a_topic() -> None:
    """The include list, the store's publication and the topics name the same three tables."""
    configuration = load_configuration()
    tables = configuration["table.include.list"].split(",")
    topics = {topic.name for topic in TOPICS}

    assert {f"{configuration['topic.prefix']}.{table}" for table in tables} <= topics
    published = STORE_DDL.partition("create publication")[2]
    assert all(table in published for table in [*tables, "enrichment.cdc_heartbeat", configuration["signal.data.collection"]])
    assert f"create publication {configuration['publication.name']} " in STORE_DDL


def test_the_largest_record_is_the_same_for_connector_topics_and_broker() -> None:
    """A record that the connector may send is one that topic and broker accept."""
    assert load_configuration()["producer.override.max.request.size"] == str(LARGEST_RECORD_BYTES)
    assert all(topic.configuration()["max.message.bytes"] == str(LARGEST_RECORD_BYTES) for topic in TOPICS)
    assert f"message.max.bytes={LARGEST_RECORD_BYTES}\n" in kafka.broker_properties(_stack())


def test_a_status_without_tasks_does_not_count_as_running() -> None:
    """A RUNNING connector whose task is not assigned yet, or has failed, does not run."""
    assert not ConnectorStatus("RUNNING", ()).runs
    assert not ConnectorStatus("RUNNING", ("FAILED",)).runs
    assert ConnectorStatus("RUNNING", ("FAILED",)).has_failed
    assert ConnectorStatus("RUNNING", ("RUNNING",)).runs


def _stack() -> kafka.Stack:
    directory = PROJECT_DIRECTORY / "nowhere"
    return kafka.Stack(directory, directory, 1, 2, 3, 4, 5, 6, 7, 8, 9, "secret", "secret", "secret", "secret")
