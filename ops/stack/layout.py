"""Where one embedded stack lives: its run directory, ports, passwords and the addresses that follow from them.

Chosen once and kept in `<run directory>/stack.env` (0600), which ops.settings reads under the environment.
"""

import hashlib
import hmac
import os
import secrets
import socket
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ops.settings import PROJECT_DIRECTORY, read_env_file
from ops.stack import postgres

JARS = PROJECT_DIRECTORY / ".run" / "kafka"
# Below the kernel's range for outgoing connections, so that no client socket sits on a port while the stack is down.
PORT_RANGE = range(20_000, 32_000)
CONSUMER_GROUP = "cx-signals"


class StackError(Exception):
    """The stack cannot be started or stopped; the message says what is missing and what to do."""


@dataclass(frozen=True)
class Stack:
    """One stack: every fact that its parts need to find each other. All ports are on 127.0.0.1."""

    run_directory: Path
    postgres_directory: Path
    postgres_port: int
    kafka_port: int
    controller_port: int
    connect_port: int
    metrics_port: int
    publisher_metrics_port: int
    supervisor_metrics_port: int
    outbound_metrics_port: int
    flag_port: int
    superuser_password: str
    capture_password: str
    bi_password: str
    flag_secret: str

    @property
    def server(self) -> postgres.Server:
        return postgres.Server(self.postgres_directory, self.postgres_port, self.superuser_password)

    @property
    def kafka_bootstrap(self) -> str:
        return f"127.0.0.1:{self.kafka_port}"

    @property
    def connect_url(self) -> str:
        return f"http://127.0.0.1:{self.connect_port}"

    @property
    def logs(self) -> Path:
        return self.run_directory / "logs"

    @property
    def pgpass(self) -> Path:
        return self.run_directory / "pgpass"

    def role_password(self, role: str) -> str:
        """A password of the role's own that follows from the owner's, which nobody can work out from it."""
        return hmac.new(self.superuser_password.encode(), role.encode(), hashlib.sha256).hexdigest()[:32]

    def role_url(self, role: str) -> str:
        """The warehouse, as one of its roles."""
        return self.server.url("warehouse", role, self.role_password(role))

    def settings(self) -> dict[str, str]:
        """The variables of ops.settings that point at this stack."""
        return {
            "CX_STORE_URL": self.server.url("store"),
            "CX_WAREHOUSE_URL": self.server.url("warehouse"),
            "CX_BI_URL": self.server.url("warehouse", "bi_reader", self.bi_password),
            "CX_WORKER_URL": self.role_url("cx_worker"),
            "CX_BUILDER_URL": self.role_url("cx_builder"),
            "CX_PUBLISHER_URL": self.role_url("cx_publisher"),
            "CX_NOTIFIER_URL": self.role_url("cx_notifier"),
            "CX_OUTBOUND_URL": self.role_url("cx_outbound"),
            "CX_KAFKA_BOOTSTRAP": self.kafka_bootstrap,
            "CX_CONNECT_URL": self.connect_url,
            "CX_WORKER_METRICS_PORT": str(self.metrics_port),
            "CX_PUBLISHER_METRICS_PORT": str(self.publisher_metrics_port),
            "CX_SUPERVISOR_METRICS_PORT": str(self.supervisor_metrics_port),
            "CX_OUTBOUND_METRICS_PORT": str(self.outbound_metrics_port),
            "CX_FLAG_URL": f"http://127.0.0.1:{self.flag_port}",
            "CX_FLAG_SECRET": self.flag_secret,
        }

    def psql(self) -> str:
        """A line that opens the marts as bi_reader, without typing a password."""
        address = f"-h 127.0.0.1 -p {self.postgres_port} -U bi_reader -d warehouse"
        return f"PGPASSFILE={self.pgpass} psql {address}"


def prepare(run_directory: Path, is_ours: Callable[[int], bool] = lambda port: False) -> Stack:
    """Make the run directory, choose what is not chosen yet and write it down.

    Args:
        run_directory: where everything of this stack lives.
        is_ours: whether a port that is in use belongs to this very stack (it is kept then); another's is replaced.
    """
    run_directory.mkdir(parents=True, exist_ok=True)
    _let_the_postgres_user_through(run_directory)
    (run_directory / "logs").mkdir(exist_ok=True)
    kept = _kept(run_directory)
    ports = [name for name in _names() if name.endswith("_port")]
    free = (port for port in _shuffled(PORT_RANGE) if not _is_taken(port))
    for name in ports:
        port = int(kept.get(name, "0"))
        if not port or (_is_taken(port) and not is_ours(port)):
            kept[name] = str(next(free))
    for name in ("superuser_password", "capture_password", "bi_password", "flag_secret"):
        kept.setdefault(name, secrets.token_hex(16))
    kept.setdefault("postgres_directory", str(_reachable_directory(run_directory)))
    stack = _from_kept(run_directory, kept)
    _write(stack)
    return stack


def load(run_directory: Path) -> Stack | None:
    """The stack that was prepared here, or None."""
    kept = _kept(run_directory)
    return _from_kept(run_directory, kept) if set(_names()) <= set(kept) else None


def _names() -> list[str]:
    return [field.name for field in fields(Stack) if field.name != "run_directory"]


def _kept(run_directory: Path) -> dict[str, str]:
    stored = read_env_file(run_directory / "stack.env")
    return {name: stored[f"CX_STACK_{name.upper()}"] for name in _names() if f"CX_STACK_{name.upper()}" in stored}


def _from_kept(run_directory: Path, kept: dict[str, str]) -> Stack:
    return Stack(
        run_directory=run_directory,
        postgres_directory=Path(kept["postgres_directory"]),
        postgres_port=int(kept["postgres_port"]),
        kafka_port=int(kept["kafka_port"]),
        controller_port=int(kept["controller_port"]),
        connect_port=int(kept["connect_port"]),
        metrics_port=int(kept["metrics_port"]),
        publisher_metrics_port=int(kept["publisher_metrics_port"]),
        supervisor_metrics_port=int(kept["supervisor_metrics_port"]),
        outbound_metrics_port=int(kept["outbound_metrics_port"]),
        flag_port=int(kept["flag_port"]),
        superuser_password=kept["superuser_password"],
        capture_password=kept["capture_password"],
        bi_password=kept["bi_password"],
        flag_secret=kept["flag_secret"],
    )


def _write(stack: Stack) -> None:
    own = {f"CX_STACK_{name.upper()}": str(value) for name, value in asdict(stack).items() if name != "run_directory"}
    # Lines that a person added, say CX_SLACK_WEBHOOK_URL, stay.
    present = read_env_file(stack.run_directory / "stack.env")
    lines = [f"{name}={value}" for name, value in {**present, **stack.settings(), **own}.items()]
    write_private(
        stack.run_directory / "stack.env",
        "# Written by `cx up`, which keeps lines of yours. Holds passwords.\n" + "\n".join(lines) + "\n",
    )
    write_private(stack.pgpass, f"127.0.0.1:{stack.postgres_port}:warehouse:bi_reader:{stack.bi_password}\n")


def write_private(path: Path, text: str) -> None:
    """Replace a file whole, readable by its owner only."""
    draft = path.with_suffix(path.suffix + ".new")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


def free_port(preferred: int) -> int:
    """The preferred port of the loopback interface, or one of our range, that nothing listens on."""
    return next(port for port in (preferred, *_shuffled(PORT_RANGE)) if not _is_taken(port))


def _is_taken(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(0.5)
        return client.connect_ex(("127.0.0.1", port)) == 0


def _shuffled(ports: Iterable[int]) -> list[int]:
    order = list(ports)
    secrets.SystemRandom().shuffle(order)
    return order


def _let_the_postgres_user_through(run_directory: Path) -> None:
    """Root's PostgreSQL runs as another user, who has to enter the run directory whatever root's umask is."""
    if os.geteuid() == 0:
        run_directory.chmod(run_directory.stat().st_mode | 0o011)


def _reachable_directory(run_directory: Path) -> Path:
    """The server's directory: in the run directory, or under /var/lib when root's checkout is closed to others (/root)."""
    closed = [parent for parent in run_directory.resolve().parents if not parent.stat().st_mode & 0o001]
    if os.geteuid() != 0 or not closed:
        return run_directory.resolve() / "postgres"
    name = hashlib.sha256(str(run_directory.resolve()).encode()).hexdigest()[:12]
    return Path("/var/lib/cx-signals") / name / "postgres"
