"""Register the Debezium connector with Kafka Connect: validated first, put, and watched until its task runs.

Also a program for clusters and containers: `python -m connectors.register http://connect:8083`.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

CONNECTOR_NAME = "enrichment"
CONFIGURATION = Path(__file__).resolve().parent / "debezium" / "enrichment.json"
RUNNING, FAILED = "RUNNING", "FAILED"


class RegistrationError(Exception):
    """Connect refuses the configuration or cannot be reached; the message says which key and why."""


@dataclass(frozen=True)
class ConnectorStatus:
    """What Connect says of one connector. `trace` is the first line of a failed task's reason, else empty."""

    connector: str
    tasks: tuple[str, ...]
    trace: str = ""

    @property
    def runs(self) -> bool:
        return self.connector == RUNNING and bool(self.tasks) and all(task == RUNNING for task in self.tasks)

    @property
    def has_failed(self) -> bool:
        return FAILED in (self.connector, *self.tasks)


def load_configuration(path: Path = CONFIGURATION) -> dict[str, str]:
    """The connector's configuration as Connect takes it: every value a string, secrets as `${env:...}` references."""
    configuration: dict[str, str] = json.loads(path.read_text())
    return configuration


def register(connect_url: str, configuration: dict[str, str], name: str = CONNECTOR_NAME) -> None:
    """Validate the configuration and put it; putting the same one again changes nothing.

    Raises RegistrationError with every refused key, or when Connect cannot be reached.
    """
    with _client(connect_url, timeout=60) as client:
        try:
            errors = validation_errors(client, configuration, name)
            if errors:
                raise RegistrationError("Connect refuses the connector: " + "; ".join(errors))
            if _registered_configuration(client, name) != {**configuration, "name": name}:
                client.put(f"/connectors/{name}/config", json=configuration).raise_for_status()
        except httpx.HTTPError as error:
            raise RegistrationError(f"Kafka Connect at {connect_url}: {error or type(error).__name__}") from error


def _client(connect_url: str, timeout: float) -> httpx.Client:
    # Certificates are read (0.2 s) only where there is one to check.
    return httpx.Client(base_url=connect_url, timeout=timeout, verify=connect_url.startswith("https:"))


def validation_errors(client: httpx.Client, configuration: dict[str, str], name: str) -> list[str]:
    """What Connect's own validation says against the configuration, one `key: reason` each."""
    plugin = configuration["connector.class"].rsplit(".", 1)[-1]
    answer = client.put(f"/connector-plugins/{plugin}/config/validate", json={**configuration, "name": name})
    answer.raise_for_status()
    values = [entry["value"] for entry in answer.json()["configs"]]
    return [f"{value['name']}: {' '.join(value['errors'])}" for value in values if value["errors"]]


def _registered_configuration(client: httpx.Client, name: str) -> dict[str, str] | None:
    answer = client.get(f"/connectors/{name}/config")
    return answer.json() if answer.status_code == httpx.codes.OK else None


def status(connect_url: str, name: str = CONNECTOR_NAME, timeout: float = 2.0) -> ConnectorStatus | None:
    """The connector's state; None when Connect does not answer or does not know the connector (yet)."""
    try:
        with _client(connect_url, timeout) as client:
            answer = client.get(f"/connectors/{name}/status")
    except httpx.HTTPError:
        return None
    if answer.status_code != httpx.codes.OK:
        return None
    body = answer.json()
    traces = [part["trace"].splitlines()[0] for part in (body["connector"], *body["tasks"]) if part.get("trace")]
    return ConnectorStatus(body["connector"]["state"], tuple(task["state"] for task in body["tasks"]), " ".join(traces[:1]))


def restart_failed(connect_url: str, name: str = CONNECTOR_NAME) -> None:
    """Ask Connect to restart what is FAILED of the connector and its tasks. Raises RegistrationError when it will not."""
    try:
        with _client(connect_url, timeout=10) as client:
            what = {"includeTasks": "true", "onlyFailed": "true"}
            client.post(f"/connectors/{name}/restart", params=what).raise_for_status()
    except httpx.HTTPError as error:
        raise RegistrationError(f"Kafka Connect at {connect_url}: {error or type(error).__name__}") from error


def wait_until_running(connect_url: str, name: str = CONNECTOR_NAME, seconds: float = 60.0) -> None:
    """Return when the connector and its task run; raise RegistrationError when the task fails or the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        seen = status(connect_url, name)
        if seen and seen.runs:
            return
        if seen and seen.has_failed:
            raise RegistrationError(f"connector {name} has failed: {seen.trace}")
        if time.monotonic() > deadline:
            raise RegistrationError(f"connector {name} is not running after {seconds:g} s ({seen})")
        time.sleep(0.1)


def main() -> None:
    """Register the shipped configuration with the Connect named on the command line and wait until it runs."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("connect_url", help="REST address of Kafka Connect, http://host:8083")
    parser.add_argument("--configuration", type=Path, default=CONFIGURATION)
    arguments = parser.parse_args()
    try:
        register(arguments.connect_url, load_configuration(arguments.configuration))
        wait_until_running(arguments.connect_url)
    except RegistrationError as error:
        sys.exit(str(error))
    sys.stdout.write(f"connector {CONNECTOR_NAME} runs\n")


if __name__ == "__main__":
    main()
