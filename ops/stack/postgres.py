"""An own PostgreSQL server: its data directory, its port and its password, never another server on the machine."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

SERVER_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "wal_level": "logical",
    "max_replication_slots": "10",
    "max_wal_senders": "10",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "min_wal_size": "1GB",
    "max_wal_size": "2GB",
    "max_slot_wal_keep_size": "4GB",
    "wal_compression": "lz4",
    "timezone": "UTC",
    "logging_collector": "off",
}


class PostgresMissing(Exception):
    """No PostgreSQL server programs on this machine; the message says what to install."""


@dataclass(frozen=True)
class Server:
    """Where one embedded server lives. `password` is the superuser's; the superuser is `cx`."""

    directory: Path
    port: int
    password: str
    extra_settings: tuple[tuple[str, str], ...] = ()

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def url(self, database: str, user: str = "cx", password: str | None = None) -> str:
        return f"postgresql://{user}:{password or self.password}@127.0.0.1:{self.port}/{database}"


def programs() -> Path:
    """Directory of the newest installed server programs (initdb, postgres, pg_ctl)."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    raise PostgresMissing("PostgreSQL is not installed: sudo apt-get install postgresql")


def run_as() -> dict[str, object]:
    """Arguments for subprocess: PostgreSQL refuses to run as root, so root runs it as the user `postgres`."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def initialise(server: Server) -> None:
    """Make the data directory, once."""
    if (server.data / "PG_VERSION").exists():
        return
    server.directory.mkdir(parents=True, exist_ok=True)
    password_file = server.directory / "superuser.password"
    password_file.write_text(server.password)
    password_file.chmod(0o600)
    if os.geteuid() == 0:
        shutil.chown(server.directory, "postgres", "postgres")
        shutil.chown(password_file, "postgres", "postgres")
    command = [programs() / "initdb", "-D", server.data, "-U", "cx", "-A", "scram-sha-256", "--pwfile", password_file,
               "-E", "UTF8", "--locale=C.UTF-8", "--lc-collate=C", "--no-sync"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, text=True, cwd="/", **run_as())  # type: ignore[call-overload]


def command(server: Server) -> list[str]:
    """The server's command line, for a supervisor that runs it in the foreground."""
    settings = {**SERVER_SETTINGS, **dict(server.extra_settings), "unix_socket_directories": "", "port": str(server.port)}
    if not _accepts(server, "wal_compression", settings["wal_compression"]):
        settings["wal_compression"] = "on"  # PostgreSQL 14, or one built without lz4
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return [str(programs() / "postgres"), "-D", str(server.data), *options]


def _accepts(server: Server, name: str, value: str) -> bool:
    """Whether this build knows the setting's value; asked without starting it."""
    asked = [programs() / "postgres", "-D", server.data, "-c", f"{name}={value}", "-C", name]
    return subprocess.run(asked, check=False, capture_output=True, cwd="/", **run_as()).returncode == 0  # type: ignore[call-overload,no-any-return]


def is_ready(server: Server) -> bool:
    """Whether the server answers a query."""
    try:
        with psycopg.connect(server.url("postgres"), connect_timeout=2) as connection:
            connection.execute("select 1")
            return True
    except psycopg.OperationalError:
        return False


def ensure_databases(server: Server, names: Iterable[str]) -> None:
    """Create the databases that are missing."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        existing = {name for (name,) in connection.execute("select datname from pg_database")}
        for name in names:
            if name not in existing:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
