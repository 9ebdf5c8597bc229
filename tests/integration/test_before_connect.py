"""`cx prepare --before-connect`: what a cluster asks before Kafka Connect starts, with the settings' addresses alone."""

import subprocess
import sys

import psycopg
import pytest

from tests.conftest import free_port
from tests.stack_fixture import RunningStack

CX = [sys.executable, "-c", "from ops.cli import main; main()"]
POSITION = "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"


def asked(stack: RunningStack, **changed: str) -> subprocess.CompletedProcess[str]:
    environment = {**stack.environment, **changed}
    words = [*CX, "prepare", "--before-connect"]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=False)


def position(url: str) -> int:
    """Bytes of log that a server has written."""
    with psycopg.connect(url, autocommit=True) as connection:
        [bytes_] = connection.execute(POSITION).fetchone() or [0]
        return int(bytes_)


def test_without_a_gap_connect_may_start(stack: RunningStack) -> None:
    """Exit code 0, nothing said."""
    done = asked(stack)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_slot_beyond_the_stored_offset_is_refused(stack: RunningStack, store_url: str) -> None:
    """Exit code 1 and one sentence, for a store whose slot is ahead of what Connect's own topic in Kafka says."""
    with psycopg.connect(store_url, autocommit=True) as store:
        while position(store_url) <= position(stack.store_url):
            store.execute("select pg_logical_emit_message(false, 'cx', 'x')")
            store.execute("select pg_switch_wal()")
        store.execute("select pg_create_logical_replication_slot('cx_enrichment', 'pgoutput')")
        try:
            done = asked(stack, CX_STORE_URL=store_url)
        finally:
            store.execute("select pg_drop_replication_slot('cx_enrichment')")

    assert done.returncode == 1
    assert done.stderr.startswith("The replication slot cx_enrichment is ")
    assert done.stderr.endswith("(README, Lost slot).\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["CX_STORE_URL", "CX_KAFKA_BOOTSTRAP"])
def test_whoever_is_away_gives_no_leave(name: str, stack: RunningStack) -> None:
    """Exit code 2 and one sentence: what cannot be compared is not good."""
    away = f"127.0.0.1:{free_port()}"
    done = asked(stack, **{name: f"postgresql://cx:secret@{away}/store" if name == "CX_STORE_URL" else away})

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert "secret" not in done.stderr
