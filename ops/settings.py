"""The one place that reads the environment: a frozen description of everything the system connects to.

Order of precedence: the process environment, then `.run/stack.env` (written by `cx up` with the ports it chose),
then the default. Every variable is listed in `.env.example`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

PROJECT_DIRECTORY = Path(__file__).resolve().parent.parent
SECRET_VARIABLES = (
    "CX_STORE_URL",
    "CX_WAREHOUSE_URL",
    "CX_BI_URL",
    "CX_WORKER_URL",
    "CX_BUILDER_URL",
    "CX_PUBLISHER_URL",
    "CX_NOTIFIER_URL",
    "CX_OUTBOUND_URL",
    "CX_CDC_PASSWORD",
    "CX_BI_PASSWORD",
    "CX_KAFKA_PASSWORD",
    "CX_SLACK_WEBHOOK_URL",
    "CX_FLAG_SECRET",
)

ROLE_VARIABLES = ("CX_WORKER_URL", "CX_BUILDER_URL", "CX_PUBLISHER_URL", "CX_NOTIFIER_URL", "CX_OUTBOUND_URL")


class SettingsError(Exception):
    """A setting is missing or cannot be read; the message names the variable and what to do."""


@dataclass(frozen=True)
class Settings:
    """Everything outside that this installation talks to. Field names are the variables without `CX_`, in lower case."""

    store_url: str = ""  # the enrichment store, postgresql://user:password@host:port/store
    store_mapping: str = ""  # path of a mapping file, for a store with table and column names of its own
    warehouse_url: str = ""  # the warehouse, as its owner
    bi_url: str = ""  # the warehouse, as role bi_reader
    worker_url: str = ""  # the warehouse, as the role of `cx worker`; empty, here and below: warehouse_url
    builder_url: str = ""  # as the role that dbt builds the candidates with
    publisher_url: str = ""  # as the role of `cx publish`
    notifier_url: str = ""  # as the role of `cx alerts serve`
    outbound_url: str = ""  # as the role of `cx outbound`
    cdc_password: str = ""  # what `cx prepare` gives role cx_capture; Connect reads it as CX_CDC_PASSWORD too
    bi_password: str = ""  # what `cx prepare` gives role bi_reader
    kafka_bootstrap: str = ""  # host:port[,host:port]
    kafka_security_protocol: str = "PLAINTEXT"  # PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL
    kafka_sasl_mechanism: str = "SCRAM-SHA-512"  # or SCRAM-SHA-256, PLAIN
    kafka_username: str = ""
    kafka_password: str = ""
    kafka_ca_file: str = ""  # PEM file of the authority that signs the brokers' certificates; empty: this machine's
    connect_url: str = ""  # Kafka Connect's REST address
    slack_webhook_url: str = ""  # empty: alerts stay in the outbox and in `cx status`
    slack_routes: str = ""  # path of a routes file; empty: ops/alerts/routes.yml
    flag_secret: str = ""  # signs the "not a problem" links
    flag_url: str = ""  # public address of the flag page, e.g. http://127.0.0.1:8090; its port is the one listened on
    flag_bind: str = "127.0.0.1"  # address that the flag page and its metrics listen on
    data_docs_url: str = ""  # where Data Docs are served; empty: file:// links
    worker_metrics_port: str = "0"  # 0: a free port, written to .run/stack.env by `cx up`
    publisher_metrics_port: str = "0"
    supervisor_metrics_port: str = "0"
    outbound_metrics_port: str = "0"
    metrics_bind: str = "127.0.0.1"  # address that worker, publisher and outbound answer /metrics on
    crm: str = ""  # path of a CRM file like connectors/outbound/crm/example.yml; empty: no CRM is told anything
    webhooks: str = ""  # path of a subscriptions file like connectors/outbound/webhooks/example.yml; empty: no webhooks
    objectives: str = ""  # path of an objectives file; empty: ops/objectives/objectives.yml
    worker_patience_seconds: str = "120"  # a worker that lands nothing for so long while records wait ends itself; at least 20
    failpoint: str = ""  # a place at which worker or outbound kill themselves (or the worker hangs); for fault tests
    consumer_group: str = "cx-signals"
    publish_every_seconds: str = "0.5"
    publish_policy: str = ""  # path of the policy file; empty: expectations/policy.yml
    timezone: str = "UTC"  # the zone whose days the marts count
    quote_in_alerts: str = "false"  # whether an alert may show the evidence quote
    run_directory: str = str(PROJECT_DIRECTORY / ".run")

    def require(self, *names: str) -> "Settings":
        """Return self when every named field has a value, else raise SettingsError that says which variable to set."""
        missing = [f"CX_{name.upper()}" for name in names if not getattr(self, name)]
        if missing:
            raise SettingsError(f"{', '.join(missing)} not set: run `make demo` or `cx up`, or set it as in .env.example")
        return self


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment over `.run/stack.env`."""
    environment = os.environ if environment is None else environment
    # A copy of .env.example sets what it leaves empty to "": that means not set.
    given = {name: value for name, value in environment.items() if value}
    given = {**_secrets_from_files(given), **given}
    run_directory = Path(given.get("CX_RUN_DIRECTORY", Settings.run_directory))
    stored = read_env_file(run_directory / "stack.env")
    if "CX_WAREHOUSE_URL" in given:  # another warehouse than the stack's: the stack's roles do not belong to it
        stored = {name: value for name, value in stored.items() if name not in ROLE_VARIABLES}
    values = {**stored, **given}
    known = {f"CX_{field.name.upper()}": field.name for field in fields(Settings)}
    return Settings(**{name: values[variable] for variable, name in known.items() if variable in values})


def _secrets_from_files(given: Mapping[str, str]) -> dict[str, str]:
    """The secrets that are given as NAME_FILE, a file whose content is the value. Raises SettingsError."""
    return {name: read_secret(f"{name}_FILE", given[f"{name}_FILE"]) for name in SECRET_VARIABLES if f"{name}_FILE" in given}


def read_secret(variable_name: str, path: str) -> str:
    """A secret's file, without the line feed at its end. Raises SettingsError."""
    try:
        return Path(path).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{variable_name} {path}: {getattr(error, 'strerror', None) or 'this is no text'}") from error


def variable(name: str, environment: Mapping[str, str] | None = None) -> str:
    """A variable that a file of ours names, like the webhook of a Slack channel; empty when it is not set."""
    environment = os.environ if environment is None else environment
    run_directory = Path(environment.get("CX_RUN_DIRECTORY", Settings.run_directory))
    return environment.get(name) or read_env_file(run_directory / "stack.env").get(name, "")


def read_env_file(path: Path) -> dict[str, str]:
    """Parse KEY=value lines; a missing file is an empty one."""
    if not path.exists():
        return {}
    lines = (line.strip() for line in path.read_text().splitlines())
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
