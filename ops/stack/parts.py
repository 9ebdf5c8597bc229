"""The parts of a stack in the order the data travels: what each needs, how it starts, when it answers, what settles it."""

import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import httpx

from connectors import register, resume
from ops import migrate
from ops.backfill import request
from ops.cli import SUBCOMMANDS
from ops.settings import PROJECT_DIRECTORY, ROLE_VARIABLES
from ops.stack import connector_alert, kafka, postgres, roles, topics
from ops.stack.decide import Limits
from ops.stack.layout import Stack
from stream.kafka import KafkaAccess

RECONCILE_EVERY_SECONDS = "900"
# The reconciler compares as the owner: it reads both databases whole.
ROLES = {"worker": "cx_worker", "publisher": "cx_publisher", "notifier": "cx_notifier", "outbound": "cx_outbound"}
NEEDS = {"worker": ("postgres", "kafka"), "outbound": ("postgres", "kafka"), "reconciler": ("postgres", "kafka", "connect")}
OWN_COMMANDS = {
    "worker": ("worker", "--instance", "supervised"),
    "publisher": ("publish", "--watch"),
    "notifier": ("alerts", "serve"),
    "outbound": ("outbound",),
    "reconciler": ("reconcile", "--every", RECONCILE_EVERY_SECONDS),
}


@dataclass(frozen=True)
class Part:
    """One supervised process. The callables may block and raise: the supervisor runs them beside its loop."""

    name: str
    command: Callable[[], Sequence[str]]
    needs: tuple[str, ...] = ()
    prepare: Callable[[], None] = lambda: None
    is_ready: Callable[[], bool] = lambda: True
    settle: Callable[[], None] = lambda: None
    environment: Mapping[str, str] = field(default_factory=dict)
    run_as: Mapping[str, object] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    limits: Limits = field(default_factory=Limits)


def all_parts(stack: Stack) -> list[Part]:
    """Every part this installation can run; commands that do not exist yet are left out (see missing_commands)."""
    missing = missing_commands()
    own = [_own(stack, name) for name in OWN_COMMANDS if name not in missing]
    return [_postgres(stack), _broker(stack), _connect(stack), *own]


def missing_commands() -> list[str]:
    """Parts whose `cx` subcommand this installation does not have."""
    return [name for name, words in OWN_COMMANDS.items() if not _has_command(words[0])]


def _has_command(name: str) -> bool:
    return name in SUBCOMMANDS and importlib.util.find_spec(SUBCOMMANDS[name].split(":")[0]) is not None


def _postgres(stack: Stack) -> Part:
    return Part(
        name="postgres",
        command=lambda: postgres.command(stack.server),
        prepare=lambda: postgres.initialise(stack.server),
        is_ready=lambda: postgres.is_ready(stack.server),
        settle=lambda: bring_schemas_up_to_date(stack),
        run_as=postgres.run_as(),
        # SIGINT is PostgreSQL's fast stop: open sessions end, committed work stays.
        stop_signal=signal.SIGINT,
    )


def bring_schemas_up_to_date(stack: Stack) -> None:
    """Make databases, tables and roles as this version needs them. Running it again changes nothing."""
    postgres.ensure_databases(stack.server, ["store", "warehouse"])
    store, warehouse = stack.server.url("store"), stack.server.url("warehouse")
    migrate.upgrade(store, migrate.STORE_MIGRATIONS)
    migrate.upgrade(warehouse, migrate.WAREHOUSE_MIGRATIONS)
    roles.ensure_capture(store, stack.capture_password)
    roles.ensure_reader(warehouse, stack.bi_password)
    roles.ensure_workers(warehouse, {role: stack.role_password(role) for role in roles.WAREHOUSE_ROLES})


def _broker(stack: Stack) -> Part:
    return Part(
        name="kafka",
        command=lambda: kafka.broker_command(stack),
        prepare=lambda: kafka.prepare_broker(stack),
        is_ready=lambda: kafka.answers(stack.kafka_port),
        settle=lambda: topics.ensure(KafkaAccess(stack.kafka_bootstrap)),
    )


def _connect(stack: Stack) -> Part:
    return Part(
        name="connect",
        command=lambda: kafka.connect_command(stack),
        needs=("postgres", "kafka"),
        prepare=lambda: _prepare_connect(stack),
        is_ready=lambda: answers_http(f"{stack.connect_url}/connectors"),
        settle=lambda: _register(stack),
        environment=kafka.capture_environment(stack),
    )


def _prepare_connect(stack: Stack) -> None:
    """Write Connect's configuration. Raises SkippedChangesError, and tells people, when it must not go on where it stopped."""
    kafka.prepare_connect(stack)
    try:
        resume.refuse_gap(stack.server.url("store"), KafkaAccess(stack.kafka_bootstrap).client)
    except resume.SkippedChangesError as error:
        if not connector_alert.is_firing(stack.server.url("warehouse")):
            connector_alert.write(stack.server.url("warehouse"), "firing", f"Nothing is captured: {error}")
        raise
    request.pause_again(stack.server.url("store"), stack.server.url("warehouse"))


def answers_http(url: str) -> bool:
    """Whether something answers 200 there."""
    try:
        return httpx.get(url, timeout=2, verify=url.startswith("https:")).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _register(stack: Stack) -> None:
    register.register(stack.connect_url, register.load_configuration())
    register.wait_until_running(stack.connect_url)


def _own(stack: Stack, name: str) -> Part:
    program = PROJECT_DIRECTORY / ".venv" / "bin" / "cx"
    launcher = [str(program)] if program.exists() else [sys.executable, "-c", "from ops.cli import main; main()"]
    return Part(
        name=name,
        command=lambda: [*launcher, *OWN_COMMANDS[name]],
        needs=NEEDS.get(name, ("postgres",)),
        environment=_addresses(stack, name),
        # Steady: it has read its settings and loaded its libraries. A worker finishes its batch before it goes.
        limits=Limits(steady=2.0, stop=30.0),
    )


def _addresses(stack: Stack, name: str) -> dict[str, str]:
    """The warehouse as the part's own role, and for the publisher as that of its dbt; a part without one is the owner."""
    own = {"CX_WAREHOUSE_URL": stack.role_url(ROLES[name])} if name in ROLES else {}
    builder = {"CX_BUILDER_URL": stack.role_url("cx_builder")} if name == "publisher" else {}
    return {**own, **builder}


def base_environment(stack: Stack) -> dict[str, str]:
    """The environment of every part: the caller's, with the addresses of this stack over it."""
    addresses = {name: value for name, value in stack.settings().items() if name not in ROLE_VARIABLES}
    return {**os.environ, **addresses, "CX_RUN_DIRECTORY": str(stack.run_directory), "PYTHONUNBUFFERED": "1",
            "CX_KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"}  # fmt: skip  # the embedded broker listens on loopback only
