"""PostgreSQL over TLS by the address alone: the stream's edge, the publisher's dbt and plain clients verify the server."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from expectations.publish.transform import libpq_environment
from ops import migrate
from ops.stack import postgres
from stream.core.batch import divide
from stream.core.decode import decode
from stream.edges.warehouse.landing import Warehouse
from stream.errors import Misconfigured
from stream.worker import read_policy
from tests.conftest import free_port, wait_until
from tests.stack_fixture import tmp_directory
from tests.unit.stream.events import changed, signal

USES_TLS = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"


@pytest.fixture(scope="module")
def secured() -> Iterator[tuple[postgres.Server, Path]]:
    """A server that takes log-ins over TLS only, and the certificate that it shows."""
    with tmp_directory() as directory:
        port = free_port()
        server = postgres.Server(directory / "postgres", port, secrets.token_hex(8), (("ssl", "on"), ("fsync", "off")))
        postgres.initialise(server)
        certificate = _certificate(directory, server)
        rules = server.data / "pg_hba.conf"
        rules.write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        process = subprocess.Popen(postgres.command(server), cwd="/", stderr=subprocess.DEVNULL, **postgres.run_as())  # type: ignore[call-overload]
        try:
            wait_until(lambda: postgres.is_ready(server), what="PostgreSQL being ready")
            postgres.ensure_databases(server, ["warehouse"])
            migrate.upgrade(_url(server, certificate), migrate.WAREHOUSE_MIGRATIONS)
            yield server, certificate
        finally:
            process.terminate()
            process.wait(timeout=30)


def _certificate(directory: Path, server: postgres.Server) -> Path:
    """A self-signed certificate for 127.0.0.1: the server's own copy, and the one that clients trust."""
    certificate, key = server.data / "server.crt", server.data / "server.key"
    subprocess.run(
        ["openssl", "req", "-new", "-x509", "-days", "2", "-nodes", "-subj", "/CN=127.0.0.1", "-addext",  # noqa: S607
         "subjectAltName=IP:127.0.0.1", "-out", certificate, "-keyout", key],
        check=True, capture_output=True,
    )  # fmt: skip
    trusted = directory / "trusted.crt"
    shutil.copy(certificate, trusted)
    trusted.chmod(0o644)
    key.chmod(0o600)
    if os.geteuid() == 0:
        for path in (certificate, key):
            shutil.chown(path, "postgres", "postgres")
    return trusted


def _url(server: postgres.Server, certificate: Path, mode: str = "verify-full") -> str:
    return f"{server.url('warehouse')}?sslmode={mode}&sslrootcert={certificate}"


def test_the_worker_lands_over_tls(secured: tuple[postgres.Server, Path]) -> None:
    """The address says verify-full, and a batch lands."""
    edge = Warehouse(_url(*secured), read_policy())

    assert edge.land(divide([decode(changed(signal(), 10), read_policy())])).outcomes == {0: "applied"}
    edge.close()


def test_without_tls_nobody_gets_in(secured: tuple[postgres.Server, Path]) -> None:
    """The server refuses a plain connection; the worker says that it is not let in, and why."""
    edge = Warehouse(_url(*secured, mode="disable"), read_policy())

    with pytest.raises(Misconfigured, match="no pg_hba"):
        edge.land(divide([decode(changed(signal(), 10), read_policy())]))


def test_a_server_with_another_certificate_is_not_trusted(secured: tuple[postgres.Server, Path], tmp_path: Path) -> None:
    """Verification is real: somebody else's certificate ends the connection."""
    other = tmp_path / "other.crt"
    subprocess.run(
        ["openssl", "req", "-new", "-x509", "-days", "2", "-nodes", "-subj", "/CN=127.0.0.1", "-out", other, "-keyout",  # noqa: S607
         tmp_path / "other.key"],
        check=True, capture_output=True,
    )  # fmt: skip
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(_url(secured[0], other))


def test_dbt_gets_the_same_words(secured: tuple[postgres.Server, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """libpq's variables, which dbt's driver reads, carry the address's TLS settings."""
    for name, value in libpq_environment(_url(*secured)).items():
        monkeypatch.setenv(name, value)
    with psycopg.connect("") as connection:
        assert os.environ["PGSSLMODE"] == "verify-full"
        assert connection.execute(USES_TLS).fetchone() == (True,)
