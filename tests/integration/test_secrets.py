"""Secrets stay where they belong: after a run no log, process list, file of Connect or answer of a command holds one."""

import json
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import psycopg
import pytest

from connectors import register
from ops.stack import roles
from tests.conftest import wait_until
from tests.faults import topics
from tests.stack_fixture import RunningStack, running_stack, tmp_directory

WEBHOOK = "verysecretwebhooktoken"
OF_THEIR_OWN = ("stack.env", "pgpass", "superuser.password")  # these are made to hold them
FAILING = (["worker"], ["publish"], ["publish", "list"], ["alerts", "list"], ["dead-letters", "list"], ["reconcile"],
           ["status"], ["status", "--json"], ["doctor"], ["doctor", "--json"], ["backfill", "--status"],
           ["outbound", "crm"], ["prepare"])  # fmt: skip


@pytest.fixture(scope="module")
def used() -> Iterator[RunningStack]:
    """A stack that has worked and failed: rows landed, a letter for Slack undeliverable, parts killed and restarted."""
    with tmp_directory() as directory, running_stack(directory) as stack:
        stack.stop("notifier")
        stack.start("notifier", CX_SLACK_WEBHOOK_URL=f"https://127.0.0.1:1/services/T0/B0/{WEBHOOK}")
        with psycopg.connect(stack.store_url, autocommit=True) as store:
            store.execute("insert into enrichment.ticket_signals (source_system, ticket_id) values ('zendesk', '1')")
        wait_until(lambda: _count(stack, "landing.dead_letters"), what="a dead letter")
        wait_until(lambda: _count(stack, "ops.alert_deliveries where attempts > 0"), what="an attempt to tell Slack")
        for part in ("worker", "publisher", "connect"):
            stack.kill(part, stay_down=False)
            stack.wait_until_up(part)
        yield stack


def _count(stack: RunningStack, relation: str) -> int:
    with psycopg.connect(stack.warehouse_url) as connection:
        [number] = connection.execute(f"select count(*) from {relation}".encode()).fetchone() or [0]
        return int(number)


def secrets_of(stack: RunningStack) -> dict[str, str]:
    """Every secret of the stack by its name."""
    layout = stack.layout
    passwords = {role: layout.role_password(role) for role in roles.WAREHOUSE_ROLES}
    return {
        "owner": layout.superuser_password, "cx_capture": layout.capture_password, "bi_reader": layout.bi_password,
        "flag": layout.flag_secret, "webhook": WEBHOOK, **passwords,
    }  # fmt: skip


def holders(texts: Mapping[str, str], secrets: Mapping[str, str]) -> list[str]:
    """Which texts hold which secrets."""
    return [f"{secret} in {name}" for name, text in texts.items() for secret, value in secrets.items() if value in text]


def files_of(directory: Path) -> dict[str, str]:
    """Every file of the run directory but the databases' and the brokers' own data, and those made to hold secrets."""
    found = {}
    for path in directory.rglob("*"):
        own_data = {"data", "postgres"} & set(path.relative_to(directory).parts[:-1])
        if path.is_file() and not own_data and path.name not in OF_THEIR_OWN and path.parent.name != "control":
            found[str(path.relative_to(directory))] = path.read_text(errors="replace")
    return found


def command_lines() -> dict[str, str]:
    """What everybody on this machine sees of every process."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found[f"process {path.parent.name}"] = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended meanwhile
            continue
    return found


def said(words: list[str], environment: Mapping[str, str], seconds: float = 90) -> str:
    """All that a command prints until it ends, or until the time is over."""
    command = [sys.executable, "-c", "from ops.cli import main; main()", *words]
    process = subprocess.Popen(command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        return process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0]


def test_no_file_of_the_stack_holds_a_secret(used: RunningStack) -> None:
    """Logs, the supervisor's state, Connect's and the broker's configuration, dbt's artefacts, Data Docs: none of them."""
    files = files_of(used.run_directory)

    assert {"logs/worker.log", "logs/connect.log", "logs/postgres.log", "broker/connect.properties"} <= set(files)
    assert holders(files, secrets_of(used)) == []


def test_the_files_that_hold_secrets_are_their_owners_alone(used: RunningStack) -> None:
    """stack.env, pgpass and the server's password file are closed to group and others."""
    found = [path for path in used.run_directory.rglob("*") if path.name in OF_THEIR_OWN]

    assert len(found) == len(OF_THEIR_OWN)
    assert [stat.S_IMODE(path.stat().st_mode) & 0o077 for path in found] == [0] * len(found)


def test_no_process_shows_a_secret(used: RunningStack) -> None:
    """Command lines are read by everybody on a machine."""
    lines = command_lines()

    assert any("ConnectDistributed" in line for line in lines.values())
    assert holders(lines, secrets_of(used)) == []


def test_connect_tells_no_secret(used: RunningStack) -> None:
    """Its answers and the topics it keeps its configuration in hold references."""
    paths = ("", "/config", "/status", "/tasks", "/tasks-config")
    name = f"{used.connect_url}/connectors/{register.CONNECTOR_NAME}"
    answers = {path: httpx.get(name + path, timeout=10).text for path in paths}
    kept = topics.read(used.kafka_bootstrap, "cx.connect.configs")

    assert "${env:CX_CDC_PASSWORD}" in answers["/config"]
    assert kept
    assert holders({**answers, "topic": str(kept)}, secrets_of(used)) == []


@pytest.mark.parametrize("words", FAILING, ids=" ".join)
def test_a_command_that_fails_tells_no_secret(words: list[str], used: RunningStack) -> None:
    """With a wrong password, and with nobody at the address: a sentence, no address with a password, no stack trace."""
    if words == ["worker"]:  # a worker that is refused ends at once
        address = used.layout.server.url("warehouse", "cx_worker", "wrongpassword")
        environments = [{"CX_WORKER_URL": address, "CX_WORKER_METRICS_PORT": "0"}]
    else:
        wrong, away = (
            used.layout.server.url("warehouse", "cx", "wrongpassword"),
            "postgresql://cx:wrongpassword@127.0.0.1:1/warehouse",
        )
        environments = [
            {"CX_WAREHOUSE_URL": url, "CX_STORE_URL": url, "CX_PUBLISHER_URL": "", "CX_BUILDER_URL": "", "CX_WORKER_URL": ""}
            for url in (wrong, away)
        ]
    for changed in environments:
        secrets = {**secrets_of(used), "given": "wrongpassword"}
        given = {"CX_BI_PASSWORD": "wrongpassword", "CX_CDC_PASSWORD": "wrongpassword"}
        text = said(words, {**used.environment, **given, **changed})
        assert text
        assert holders({" ".join(words): text}, secrets) == []
        assert "Traceback" not in text, text


def test_status_masks_every_address(used: RunningStack) -> None:
    """`cx status` prints where to connect, passwords as stars."""
    text = said(["status", "--json"], used.environment)

    assert ":***@" in json.loads(text)["endpoints"]["CX_WAREHOUSE_URL"]
    assert holders({"status": text}, secrets_of(used)) == []


def test_the_search_finds_what_is_there(used: RunningStack) -> None:
    """A planted secret is found in a log and in a process list: the tests above can fail."""
    planted = used.layout.logs / "planted.log"
    planted.write_text(f"dsn=postgresql://cx:{used.layout.superuser_password}@host")
    process = subprocess.Popen([sys.executable, "-c", "input()", used.layout.flag_secret], stdin=subprocess.PIPE)
    try:
        wait_until(lambda: holders(command_lines(), secrets_of(used)), 10)
        assert holders(files_of(used.run_directory), secrets_of(used)) == ["owner in logs/planted.log"]
        assert holders(command_lines(), secrets_of(used)) == [f"flag in process {process.pid}"]
    finally:
        process.communicate(b"\n")
        planted.unlink()
