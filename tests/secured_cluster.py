"""A cluster of somebody else's that lets nobody in without TLS and a log-in: real PostgreSQL, Kafka and Connect.

PostgreSQL takes `hostssl` only, Kafka has one listener, SASL_SSL with SCRAM-SHA-512, and both show certificates of an
authority that no machine knows. Nothing here is started by `cx up`: the settings alone say how to get in.
"""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg

from ops.stack import kafka, layout, postgres, roles
from stream.kafka import KafkaAccess
from tests.conftest import wait_until

CX = [sys.executable, "-c", "from ops.cli import main; main()"]
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"


@dataclass(frozen=True)
class Cluster:
    """The running cluster and every way in."""

    directory: Path
    stack: layout.Stack  # ports and passwords only
    store: str = "store"  # the store's database
    kafka_password: str = field(default_factory=lambda: secrets.token_hex(12))

    @property
    def authority(self) -> Path:
        return self.directory / "authority.pem"

    @property
    def access(self) -> KafkaAccess:
        return KafkaAccess(
            self.stack.kafka_bootstrap, "SASL_SSL", "SCRAM-SHA-512", "signals", self.kafka_password, str(self.authority)
        )

    def url(self, database: str, user: str = "cx", password: str | None = None, authority: Path | None = None) -> str:
        address = self.stack.server.url(database, user, password)
        return f"{address}?sslmode=verify-full&sslrootcert={authority or self.authority}"

    @property
    def environment(self) -> dict[str, str]:
        """What somebody who runs `cx` on this cluster has set; two of the secrets are in files."""
        role = {name: self.url("warehouse", name, self.stack.role_password(name)) for name in roles.WAREHOUSE_ROLES}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CX_")}
        return {
            **inherited,
            "CX_STORE_URL": self.url(self.store), "CX_WAREHOUSE_URL_FILE": self._secret("warehouse_url", self.url("warehouse")),
            "CX_WORKER_URL": role["cx_worker"], "CX_BUILDER_URL": role["cx_builder"],
            "CX_PUBLISHER_URL": role["cx_publisher"], "CX_NOTIFIER_URL": role["cx_notifier"],
            "CX_OUTBOUND_URL": role["cx_outbound"],
            "CX_CDC_PASSWORD": self.stack.capture_password, "CX_BI_PASSWORD": self.stack.bi_password,
            "CX_KAFKA_BOOTSTRAP": self.access.bootstrap, "CX_KAFKA_SECURITY_PROTOCOL": self.access.protocol,
            "CX_KAFKA_SASL_MECHANISM": self.access.mechanism, "CX_KAFKA_USERNAME": self.access.username,
            "CX_KAFKA_PASSWORD_FILE": self._secret("kafka_password", self.kafka_password),
            "CX_KAFKA_CA_FILE": self.access.ca_file, "CX_CONNECT_URL": self.stack.connect_url,
            "CX_RUN_DIRECTORY": str(self.directory / "run"), "CX_FLAG_URL": f"http://127.0.0.1:{self.stack.flag_port}",
        }  # fmt: skip

    @property
    def secrets(self) -> dict[str, str]:
        """Every secret by its name."""
        passwords = {name: self.stack.role_password(name) for name in roles.WAREHOUSE_ROLES}
        own = {"kafka": self.kafka_password, "owner": self.stack.superuser_password, "capture": self.stack.capture_password}
        return {**own, "bi_reader": self.stack.bi_password, **passwords}

    def cx(self, *words: str, seconds: float = 120, **changed: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*CX, *words], env={**self.environment, **changed}, capture_output=True, text=True, timeout=seconds, check=False
        )

    def log(self, name: str) -> str:
        return (self.directory / f"{name}.log").read_text(errors="replace")

    @contextmanager
    def process(self, name: str, command: Sequence[str], env: Mapping[str, str], **options: object) -> Iterator[None]:
        """Run a program beside the tests; its output goes to `<name>.log`."""
        with (self.directory / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(command, env=dict(env), stdout=log, stderr=log, cwd="/", **options)  # type: ignore[call-overload]
            try:
                yield
            finally:
                process.terminate()
                try:
                    process.wait(timeout=30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def _secret(self, name: str, value: str) -> str:
        path = self.directory / f"{name}.secret"
        layout.write_private(path, value + "\n")
        return str(path)


@contextmanager
def secured_cluster(directory: Path, store: str = "store") -> Iterator[Cluster]:
    """PostgreSQL, Kafka and Connect, up; nothing of ours in them yet."""
    cluster = Cluster(directory, layout.prepare(directory / "stack"), store)
    new_authority(directory, "authority")
    _certify(directory, "authority", "server")
    with ExitStack() as running:
        _start_postgres(cluster, running)
        _start_kafka(cluster, running)
        _start_connect(cluster, running)
        yield cluster


def new_authority(directory: Path, name: str) -> Path:
    """A certificate authority that nobody knows: `<name>.pem`, and its key beside it."""
    _openssl(directory, "req", "-new", "-x509", "-days", "2", "-nodes", "-subj", f"/CN={name}", "-addext",
             "basicConstraints=critical,CA:TRUE", "-out", f"{name}.pem", "-keyout", f"{name}.key")  # fmt: skip
    (directory / f"{name}.pem").chmod(0o644)
    return directory / f"{name}.pem"


def _certify(directory: Path, authority: str, name: str) -> None:
    """A key and a certificate of this authority for 127.0.0.1."""
    (directory / "names").write_text("subjectAltName=IP:127.0.0.1")
    _openssl(directory, "req", "-new", "-nodes", "-subj", "/CN=127.0.0.1", "-out", f"{name}.csr", "-keyout", f"{name}.key")
    _openssl(directory, "x509", "-req", "-days", "2", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey",
             f"{authority}.key", "-CAcreateserial", "-extfile", "names", "-out", f"{name}.crt")  # fmt: skip
    (directory / f"{name}.pem").write_text((directory / f"{name}.key").read_text() + (directory / f"{name}.crt").read_text())


def _openssl(directory: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True)  # noqa: S607


def _start_postgres(cluster: Cluster, running: ExitStack) -> None:
    stack = cluster.stack
    server = postgres.Server(stack.postgres_directory, stack.postgres_port, stack.superuser_password, (("ssl", "on"),))
    postgres.initialise(server)
    (server.data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
    for name in ("server.crt", "server.key"):
        shutil.copy(cluster.directory / name, server.data / name)
        (server.data / name).chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(server.data / name, "postgres", "postgres")
    running.enter_context(cluster.process("postgres", postgres.command(server), os.environ, **postgres.run_as()))
    wait_until(lambda: postgres.is_ready(server), what="PostgreSQL being ready")
    postgres.ensure_databases(server, [cluster.store, "warehouse"])


def _start_kafka(cluster: Cluster, running: ExitStack) -> None:
    """One listener for everybody, the broker itself included."""
    stack, brokers = cluster.stack, secrets.token_hex(12)
    ours = [
        line
        for line in kafka.broker_properties(stack).splitlines()
        if not line.startswith(("listeners=", "advertised.listeners="))
    ]
    properties = cluster.directory / "server.properties"
    secured = f"""
listeners=CLIENTS://{stack.kafka_bootstrap},CONTROLLER://127.0.0.1:{stack.controller_port}
advertised.listeners=CLIENTS://{stack.kafka_bootstrap}
listener.security.protocol.map=CLIENTS:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENTS
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.clients.scram-sha-512.sasl.jaas.config={SCRAM} required username="broker" password="{brokers}";
ssl.keystore.type=PEM
ssl.keystore.location={cluster.directory / "server.pem"}
ssl.truststore.type=PEM
ssl.truststore.location={cluster.authority}
"""
    layout.write_private(properties, "\n".join(ours) + secured)
    (stack.run_directory / "broker").mkdir(exist_ok=True)
    users = {"broker": brokers, "signals": cluster.kafka_password}
    added = [
        word for user, password in users.items() for word in ("--add-scram", f"SCRAM-SHA-512=[name={user},password={password}]")
    ]
    format_it = kafka.java("kafka.tools.StorageTool", "format", "-t", "xSecuredClusterOfTests", "-c", str(properties), *added)
    subprocess.run(format_it, check=True, capture_output=True)
    running.enter_context(cluster.process("kafka", kafka.java("kafka.Kafka", str(properties)), os.environ))
    wait_until(lambda: kafka.answers(stack.kafka_port), 120, what="Kafka listening")


def _start_connect(cluster: Cluster, running: ExitStack) -> None:
    """The embedded worker's properties and what `cx prepare --print-connect` prints."""
    printed = cluster.cx("prepare", "--print-connect")
    assert printed.returncode == 0, printed.stderr
    properties = cluster.directory / "connect.properties"
    properties.write_text(kafka.connect_properties(cluster.stack) + printed.stdout)
    environment = {
        **os.environ, **kafka.capture_environment(cluster.stack), "CX_CDC_DATABASE": cluster.store,
        "CX_CDC_SSLMODE": "verify-full",
        "CX_CDC_SSLROOTCERT": str(cluster.authority), "CX_KAFKA_USERNAME": "signals", "CX_KAFKA_PASSWORD": cluster.kafka_password,
    }  # fmt: skip
    command = kafka.java("org.apache.kafka.connect.cli.ConnectDistributed", str(properties), heap="512m")
    running.enter_context(cluster.process("connect", command, environment))
    wait_until(lambda: _answers(f"{cluster.stack.connect_url}/connectors"), 120, what="Connect answering")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def one_value(url: str, query: str) -> object:
    """The first value of a query's first row."""
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
        return row[0] if row else None
