"""The Kafka broker and Kafka Connect as plain Java programs: their configuration and their command lines, as text."""

import shutil
import socket
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from ops.stack.layout import JARS, Stack, StackError, write_private
from stream.kafka import KafkaAccess

LARGEST_RECORD_BYTES = 16 * 1024 * 1024  # a row with 10 MB of custom_metrics must reach the dead letters
# Connect resolves `${env:...}` in its own properties and in connectors' from these variables, and from no others.
CONNECT_SECRETS = """\
config.providers=env
config.providers.env.class=org.apache.kafka.common.config.provider.EnvVarConfigProvider
config.providers.env.param.allowlist.pattern=\
CX_CDC_(HOST|PORT|DATABASE|USER|PASSWORD|SSLMODE|SSLROOTCERT)|CX_KAFKA_(USERNAME|PASSWORD)
"""
# Connect's own clients, and those it makes for connectors.
CONNECT_CLIENTS = ("", "producer.", "consumer.", "admin.")
BROKER_HEAP, CONNECT_HEAP = "512m", "1g"
JAVA_OPTIONS = (
    "-XX:+UseSerialGC",
    "-Xshare:auto",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
    "-Dorg.slf4j.simpleLogger.showThreadName=false",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.clients=warn",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config.AbstractConfig=warn",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.connect.runtime.rest.RestServer=warn",
    "-Dorg.slf4j.simpleLogger.log.io.debezium.util.Threads=warn",
)


def broker_properties(stack: Stack) -> str:
    """server.properties of one broker that is its own controller (KRaft); no topic is made by accident."""
    return f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{stack.controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{stack.kafka_port},CONTROLLER://127.0.0.1:{stack.controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{stack.kafka_port}
log.dirs={stack.run_directory / "broker" / "data"}
auto.create.topics.enable=false
message.max.bytes={LARGEST_RECORD_BYTES}
replica.fetch.max.bytes={LARGEST_RECORD_BYTES}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
offsets.retention.minutes=43200
"""


def connect_properties(stack: Stack) -> str:
    """connect-distributed.properties of one worker; connectors may only read the CX_CDC_* variables."""
    return f"""\
bootstrap.servers={stack.kafka_bootstrap}
group.id=cx-connect
listeners=http://127.0.0.1:{stack.connect_port}
rest.advertised.host.name=127.0.0.1
rest.advertised.port={stack.connect_port}
plugin.path={JARS / "plugins"}
plugin.discovery=service_load
key.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=false
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=false
config.storage.topic=cx.connect.configs
config.storage.replication.factor=1
offset.storage.topic=cx.connect.offsets
offset.storage.replication.factor=1
offset.storage.partitions=1
offset.flush.interval.ms=1000
status.storage.topic=cx.connect.status
status.storage.replication.factor=1
status.storage.partitions=1
topic.creation.enable=false
connector.client.config.override.policy=All
{CONNECT_SECRETS}scheduled.rebalance.max.delay.ms=0
"""


def connect_security(kafka: KafkaAccess) -> dict[str, str]:
    """Properties with which every client of a Connect worker reaches this Kafka; user and password are references.

    A quote or a backslash in Connect's CX_KAFKA_PASSWORD needs a backslash before it: JAAS reads it in quotes.
    """
    module = "plain.PlainLoginModule" if kafka.mechanism == "PLAIN" else "scram.ScramLoginModule"
    log_in = {
        "sasl.mechanism": kafka.mechanism,
        "sasl.jaas.config": f"org.apache.kafka.common.security.{module} required"
        ' username="${env:CX_KAFKA_USERNAME}" password="${env:CX_KAFKA_PASSWORD}";',
    }
    trust = {"ssl.truststore.type": "PEM", "ssl.truststore.location": kafka.ca_file}
    properties = {
        "security.protocol": kafka.protocol,
        **(log_in if kafka.logs_in else {}),
        **(trust if kafka.ca_file else {}),
    }
    return {f"{client}{name}": value for client in CONNECT_CLIENTS for name, value in properties.items()}


def capture_environment(stack: Stack) -> dict[str, str]:
    """What the connector's `${env:...}` references resolve to: the store, as the role that may only capture."""
    return {
        "CX_CDC_HOST": "127.0.0.1",
        "CX_CDC_PORT": str(stack.postgres_port),
        "CX_CDC_DATABASE": "store",
        "CX_CDC_USER": "cx_capture",
        "CX_CDC_PASSWORD": stack.capture_password,
        "CX_CDC_SSLMODE": "prefer",  # the embedded server listens on loopback only
        "CX_CDC_SSLROOTCERT": "",
    }


def java(main_class: str, *arguments: str, heap: str = "256m") -> list[str]:
    """A Java command line over the resolved jars. Raises StackError when Java or the jars are missing."""
    program = shutil.which("java")
    if program is None:
        raise StackError("Java is not installed: run `make setup`, or sudo apt-get install openjdk-17-jre-headless")
    if not (JARS / "libs").is_dir():
        raise StackError("the Kafka jars are not there yet: run `make setup`")
    return [program, f"-Xmx{heap}", *JAVA_OPTIONS, "-cp", f"{JARS / 'libs'}/*", main_class, *arguments]


def broker_command(stack: Stack) -> list[str]:
    return java("kafka.Kafka", str(_broker_file(stack)), heap=BROKER_HEAP)


def connect_command(stack: Stack) -> list[str]:
    return java("org.apache.kafka.connect.cli.ConnectDistributed", str(_connect_file(stack)), heap=CONNECT_HEAP)


def prepare_broker(stack: Stack) -> None:
    """Write the broker's configuration and format its storage, once."""
    directory = stack.run_directory / "broker"
    directory.mkdir(exist_ok=True)
    write_private(_broker_file(stack), broker_properties(stack))
    if (directory / "data" / "meta.properties").exists():
        return
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # An id that starts with a dash would be read as an option.
    command = java("kafka.tools.StorageTool", "format", "-t", "x" + cluster[1:], "-c", str(_broker_file(stack)))
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise StackError(f"Kafka's storage could not be formatted: {(done.stderr or done.stdout).strip()[-500:]}")


def prepare_connect(stack: Stack) -> None:
    """Write Connect's configuration."""
    (stack.run_directory / "broker").mkdir(exist_ok=True)
    write_private(_connect_file(stack), connect_properties(stack))


def answers(port: int) -> bool:
    """Whether something listens on this port of the loopback interface."""
    with socket.socket() as client:
        client.settimeout(0.5)
        return client.connect_ex(("127.0.0.1", port)) == 0


def _broker_file(stack: Stack) -> Path:
    return stack.run_directory / "broker" / "server.properties"


def _connect_file(stack: Stack) -> Path:
    return stack.run_directory / "broker" / "connect.properties"
