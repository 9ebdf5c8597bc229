"""The peer: Debezium's JDBC sink in a Kafka Connect of its own, tuned, writing the latest row of each ticket."""

import subprocess
from pathlib import Path

import httpx

from connectors import register
from ops.bench import schemas
from ops.bench.stand import Skipped, Stand
from ops.settings import PROJECT_DIRECTORY
from ops.stack import kafka, parts
from ops.stack.layout import JARS

VERSION = "3.5.0.Final"
PLACE = PROJECT_DIRECTORY / ".run" / "bench"
POM = Path(__file__).with_name("jdbc_sink.xml")
NAME = "jdbc-sink"
TABLE = "peer.ticket_signals"
# The landing table's columns, types and key, without our origin columns and second index.
CREATE_TABLE = f"""
create schema if not exists peer;
drop table if exists {TABLE};
create table {TABLE} (
    event_id uuid, occurred_at timestamptz, source_system text not null, ticket_id text not null, account_id text, sentiment text,
    sentiment_score numeric, churn_risk text, effort text, raw_tags text[], canonical_tag text, driver text, custom_metrics jsonb,
    evidence_url text, evidence_quote text, idempotency_key text, version bigint, updated_at timestamptz,
    primary key (source_system, ticket_id)
)
"""


def resolve() -> None:
    """Have the plugin in place. Raises Skipped when Maven cannot get it."""
    if (PLACE / "plugins" / "debezium-connector-jdbc").is_dir():
        return
    command = ["mvn", "-q", "-B", "package", f"-Dparts.directory={PLACE}", "-f", str(POM)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, stdin=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise Skipped("the JDBC sink is not here and Maven is not installed: sudo apt-get install maven") from error
    except subprocess.TimeoutExpired as error:
        raise Skipped("the JDBC sink is not here and Maven did not get it within 5 minutes") from error
    if done.returncode:
        reason = next((line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line), "no reason given")
        raise Skipped(f"the JDBC sink is not here and Maven cannot get it: {reason[:300]}")


def start(stand: Stand) -> None:
    """Start the Kafka Connect that runs the sink, beside the stand's own."""
    resolve()
    port = stand.stack.flag_port  # the bench runs no notifier
    properties = kafka.connect_properties(stand.stack)
    replaced = {
        f":{stand.stack.connect_port}": f":{port}",
        f"rest.advertised.port={stand.stack.connect_port}": f"rest.advertised.port={port}",
        "cx-connect": "bench-connect",
        "cx.connect.": "bench.connect.",
        str(JARS / "plugins"): str(PLACE / "plugins"),
    }
    for before, after in replaced.items():
        properties = properties.replace(before, after)
    file = stand.stack.run_directory / "bench-connect.properties"
    file.write_text(properties)
    command = kafka.java("org.apache.kafka.connect.cli.ConnectDistributed", str(file), heap=kafka.CONNECT_HEAP)
    stand.spawn_java(NAME, command, {})
    stand.wait_until(lambda: parts.answers_http(f"{url(stand)}/connectors"), 120, "the peer's Kafka Connect")


def url(stand: Stand) -> str:
    return f"http://127.0.0.1:{stand.stack.flag_port}"


def configuration(stand: Stand, topic: str, *, knows_schemas: bool) -> dict[str, str]:
    """Upserts in batches of 5,000, duplicates within a batch reduced, inserts rewritten: its best settings for this table.

    `knows_schemas` says that the converters are given the schemas, which are then not in the records.
    """
    server = stand.stack.server
    given = {"key.converter.schema.content": schemas.key(), "value.converter.schema.content": schemas.envelope()}
    return {
        "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
        "tasks.max": "2",
        "topics": topic,
        "connection.url": f"jdbc:postgresql://127.0.0.1:{server.port}/warehouse?reWriteBatchedInserts=true&stringtype=unspecified",
        "connection.username": "cx",
        "connection.password": server.password,
        "insert.mode": "upsert",
        "primary.key.mode": "record_key",
        "schema.evolution": "none",
        "collection.name.format": TABLE,
        "batch.size": "5000",
        "use.reduction.buffer": "true",
        "consumer.override.max.poll.records": "5000",
        "consumer.override.fetch.max.bytes": "52428800",
        "consumer.override.max.partition.fetch.bytes": "4000000",
        "consumer.override.auto.offset.reset": "earliest",
        "key.converter": "org.apache.kafka.connect.json.JsonConverter",
        "key.converter.schemas.enable": "true",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "true",
        **(given if knows_schemas else {}),
    }


def sink(stand: Stand, name: str, topic: str, *, knows_schemas: bool = True) -> None:
    """Let a sink of this name read the topic from its beginning into an empty table."""
    with stand.warehouse() as warehouse:
        warehouse.execute(CREATE_TABLE)
    register.register(url(stand), configuration(stand, topic, knows_schemas=knows_schemas), name)
    register.wait_until_running(url(stand), name)


def remove(stand: Stand, name: str) -> None:
    """End the sink of this name."""
    httpx.delete(f"{url(stand)}/connectors/{name}", timeout=30).raise_for_status()
