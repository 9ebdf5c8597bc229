"""docker-compose.yml tells the same story as the embedded stack."""

import os
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from ops import settings
from ops.cli import SUBCOMMANDS
from ops.dashboards import place
from ops.stack import kafka, layout
from stream.kafka import KafkaAccess

POM = "{http://maven.apache.org/POM/4.0.0}"
PER_INSTALLATION = {
    "node.id",
    "controller.quorum.voters",
    "listeners",
    "advertised.listeners",
    "log.dirs",
    "bootstrap.servers",
    "rest.advertised.host.name",
    "rest.advertised.port",
    "plugin.path",
    "plugin.discovery",
}
SET_BY_THE_IMAGE = {
    "group.id": "GROUP_ID",
    "config.storage.topic": "CONFIG_STORAGE_TOPIC",
    "offset.storage.topic": "OFFSET_STORAGE_TOPIC",
    "status.storage.topic": "STATUS_STORAGE_TOPIC",
}
# debezium/connect sets these itself to what the embedded worker says.
IMAGE_DEFAULTS = {
    "key.converter",
    "key.converter.schemas.enable",
    "value.converter",
    "value.converter.schemas.enable",
    "config.storage.replication.factor",
    "offset.storage.replication.factor",
    "offset.storage.partitions",
    "status.storage.replication.factor",
    "status.storage.partitions",
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The parsed compose file."""
    return yaml.safe_load((settings.PROJECT_DIRECTORY / "docker-compose.yml").read_text())


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> layout.Stack:
    """An embedded stack that is only described, not started."""
    return layout.prepare(tmp_path_factory.mktemp("compose"))


def properties(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def test_images_are_the_versions_of_the_pom(compose: dict[str, Any]) -> None:
    """Kafka and Debezium run in the versions that Maven resolves for the embedded stack."""
    pom = ElementTree.parse(settings.PROJECT_DIRECTORY / "connectors" / "kafka" / "pom.xml").getroot()  # noqa: S314  # our own file
    pinned = {name: pom.findtext(f"{POM}properties/{POM}{name}") for name in ("kafka.version", "debezium.version")}

    assert compose["services"]["kafka"]["image"] == f"apache/kafka:{pinned['kafka.version']}"
    assert compose["services"]["connect"]["image"] == f"quay.io/debezium/connect:{pinned['debezium.version']}"
    assert compose["services"]["store"]["image"] == compose["services"]["warehouse"]["image"] == "postgres:17"


def test_the_broker_has_the_embedded_brokers_settings(compose: dict[str, Any], stack: layout.Stack) -> None:
    """Every broker property that is not an address has the same value in both."""
    embedded = {name: value for name, value in properties(kafka.broker_properties(stack)).items() if name not in PER_INSTALLATION}
    environment = compose["services"]["kafka"]["environment"]

    assert {name: environment.get("KAFKA_" + name.upper().replace(".", "_")) for name in embedded} == embedded


def test_connect_has_the_embedded_workers_settings(compose: dict[str, Any], stack: layout.Stack) -> None:
    """Every Connect property that is not an address or the image's own default has the same value in both."""
    environment = compose["services"]["connect"]["environment"]
    embedded = {
        name: value
        for name, value in properties(kafka.connect_properties(stack)).items()
        if name not in PER_INSTALLATION | IMAGE_DEFAULTS
    }
    variable = {name: SET_BY_THE_IMAGE.get(name, "CONNECT_" + name.upper().replace(".", "_")) for name in embedded}

    assert {name: environment.get(variable[name]) for name in embedded} == embedded
    assert set(kafka.capture_environment(stack)) <= set(environment)


def test_connect_reaches_a_secured_kafka_with_the_printed_properties(compose: dict[str, Any]) -> None:
    """What `cx prepare --print-connect` prints for TLS and SCRAM is what the container gets, from the same variables."""
    environment = compose["services"]["connect"]["environment"]
    printed = kafka.connect_security(
        KafkaAccess("kafka:9092", "SASL_SSL", username="u", password="p", ca_file="/run/secrets/kafka_ca")
    )
    given = {name: environment["CONNECT_" + name.upper().replace(".", "_")] for name in printed}

    assert {name: filled(value) for name, value in given.items()} == printed
    assert compose["secrets"]["kafka_ca"]["file"] == "${CX_KAFKA_CA_FILE:-/dev/null}"
    assert all("kafka_ca" in compose["services"][name]["secrets"] for name in ("connect", "prepare", "worker", "reconciler"))


def filled(value: str) -> str:
    """A value as compose hands it on when CX_KAFKA_SECURITY_PROTOCOL is SASL_SSL."""
    value = value.replace("${CX_KAFKA_SECURITY_PROTOCOL:-PLAINTEXT}", "SASL_SSL")
    return re.sub(r"(?<!\$)\$\{\w+:-([^}]*)}", r"\1", value).replace("$$", "$")


def test_every_process_gets_the_warehouse_as_its_own_role(compose: dict[str, Any]) -> None:
    """The owner's address goes to who migrates and who compares; `prepare` makes the roles that the others are."""
    users = {
        name: {variable: user_of(value) for variable, value in service["environment"].items() if value and "@warehouse" in value}
        for name, service in compose["services"].items()
        if service.get("build") == "."
    }
    roles = {
        "CX_WORKER_URL": "cx_worker",
        "CX_BUILDER_URL": "cx_builder",
        "CX_PUBLISHER_URL": "cx_publisher",
        "CX_NOTIFIER_URL": "cx_notifier",
        "CX_OUTBOUND_URL": "cx_outbound",
    }

    assert users["prepare"] == {"CX_WAREHOUSE_URL": "cx", **roles}
    assert users["reconciler"] == {"CX_WAREHOUSE_URL": "cx"}
    assert users["worker"] == {"CX_WAREHOUSE_URL": "cx_worker"}
    assert users["publisher"] == {"CX_WAREHOUSE_URL": "cx_publisher", "CX_BUILDER_URL": "cx_builder"}
    assert users["notifier"] == {"CX_WAREHOUSE_URL": "cx_notifier"}
    assert users["outbound"] == {"CX_WAREHOUSE_URL": "cx_outbound"}


def user_of(address: str) -> str:
    return address.removeprefix("postgresql://").partition(":")[0]


def test_the_store_logs_what_debezium_needs(compose: dict[str, Any]) -> None:
    """The store's server writes a logical WAL and bounds what a dead slot may retain."""
    command = compose["services"]["store"]["command"]

    assert "wal_level=logical" in command
    assert any(re.fullmatch(r"max_slot_wal_keep_size=\d+GB", option) for option in command)


def test_our_services_run_commands_that_exist_with_variables_that_exist(compose: dict[str, Any]) -> None:
    """Each service of ours calls a cx subcommand and sets only variables that the settings read."""
    ours = {name: service for name, service in compose["services"].items() if service.get("build") == "."}
    known = {f"CX_{name.upper()}" for name in settings.Settings.__dataclass_fields__}

    assert set(ours) == {"resume", "prepare", "worker", "publisher", "reconciler", "notifier", "outbound"}
    assert {service["command"][0] for service in ours.values() if "entrypoint" not in service} <= set(SUBCOMMANDS)
    assert {variable for service in ours.values() for variable in service["environment"]} <= known


def test_every_service_waits_for_what_it_needs(compose: dict[str, Any]) -> None:
    """Long-running services of ours start after the preparation; everything outside has a health check."""
    services = compose["services"]

    for name in ("worker", "publisher", "reconciler", "notifier", "outbound"):
        assert services[name]["depends_on"]["prepare"]["condition"] == "service_completed_successfully"
    for name in ("store", "warehouse", "kafka", "connect"):
        assert services[name]["healthcheck"]["test"]
    assert services["connect"]["depends_on"] == {"resume": {"condition": "service_completed_successfully"}}
    assert services["resume"]["command"] == ["prepare", "--before-connect"]


def test_the_image_holds_every_folder_that_runs() -> None:
    """The Dockerfile copies each package and the lock file that the local installation uses."""
    text = Path(settings.PROJECT_DIRECTORY / "Dockerfile").read_text()

    for folder in ("connectors", "stream", "dbt_project", "expectations", "ops"):
        assert f"COPY {folder} {folder}" in text
    assert "--require-hashes -r requirements.lock" in text


def test_the_dashboards_read_the_marts_as_bi_reader_and_start_only_when_asked(compose: dict[str, Any]) -> None:
    """Superset gets the reader's address alone, and what `make dashboards` gives it, in an image made from the same lock."""
    service = compose["services"]["dashboards"]
    text = (settings.PROJECT_DIRECTORY / service["build"]["dockerfile"]).read_text()
    embedded = place.Place(Path("/run"), 8088, "", "", "").environment("")

    assert service["profiles"] == ["dashboards"]
    assert service["environment"]["CX_BI_URL"].startswith("postgresql://bi_reader:")
    assert not any("bi_reader" not in value and "@" in value for value in service["environment"].values())
    assert set(embedded) - set(os.environ) <= {*service["environment"], *re.findall(r"([A-Z_]+)=", text)}
    assert "--require-hashes -r superset.lock" in text
    for file in re.findall(r"ops/\S+|dbt_project/\S+", text.split("FROM", 1)[1]):
        assert (settings.PROJECT_DIRECTORY / file).exists(), file


def test_ports_are_open_to_this_machine_only(compose: dict[str, Any]) -> None:
    """Every published port is bound to the loopback interface."""
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]

    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
