"""`cx simulate` against a real store."""

import json
import os
import signal
import subprocess
import sys
from random import Random

import psycopg
import pytest
from click.testing import CliRunner

from connectors.simulation import run
from connectors.simulation.actions import Kind
from connectors.simulation.world import World
from connectors.simulation.writer import Writer
from ops.cli import cx
from ops.settings import PROJECT_DIRECTORY
from tests.conftest import wait_until

JOURNAL = """
create table journal (change text);
create function journal() returns trigger language plpgsql as $$ begin
  insert into journal values (tg_table_name || case tg_op when 'DELETE' then ' deleted' else '' end); return null; end $$;
create trigger journal after insert or update or delete on enrichment.ticket_signals for each row execute function journal();
create trigger journal after insert or update or delete on enrichment.tag_taxonomy for each row execute function journal();
create trigger journal after insert or update or delete on enrichment.accounts for each row execute function journal();
"""


def test_counts_are_what_the_store_saw(store_url: str) -> None:
    """Every action reaches the store: writes, deletes and edits add up to the store's own counts of changes."""
    with psycopg.connect(store_url, autocommit=True) as connection:
        connection.execute(JOURNAL)  # type: ignore[arg-type]
        writer = Writer(store_url)
        tally = run.simulate(World(Random(3), "r"), writer, rate=3000, duration=0.5)
        writer.close()
        seen = dict(connection.execute("select change, count(*) from journal group by 1").fetchall())
    assert tally.total == 1500
    assert seen["ticket_signals deleted"] == tally.by_kind[Kind.DELETE]
    assert seen["tag_taxonomy"] == tally.by_kind[Kind.TAXONOMY]
    assert seen["accounts"] == tally.by_kind[Kind.ACCOUNT]
    assert sum(seen.values()) == tally.total


def test_a_run_prints_its_counts(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run writes rate x seconds events and prints them by kind."""
    monkeypatch.setenv("CX_STORE_URL", store_url)
    result = CliRunner().invoke(cx, ["simulate", "--rate", "200", "--for", "0.5", "--seed", "1", "--json"])
    counts = json.loads(result.stdout)
    assert (result.exit_code, counts["events"], counts["seed"]) == (0, 100, 1)
    assert sum(counts["by_kind"].values()) == 100


def test_ctrl_c_stops_cleanly(store_url: str) -> None:
    """Ctrl-C ends a run after the batch in hand, with its counts and exit code 0."""
    command = [sys.executable, "-c", "from ops.cli import main; main()", "simulate", "--rate", "50", "--for", "600", "--json"]
    environment = {**os.environ, "CX_STORE_URL": store_url}
    process = subprocess.Popen(command, cwd=PROJECT_DIRECTORY, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        with psycopg.connect(store_url, autocommit=True) as connection:
            written = "select exists (select from enrichment.ticket_signals)"
            wait_until(lambda: connection.execute(written).fetchone() == (True,), what="the first event being written")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0
    assert json.loads(output)["events"] > 0


def test_an_unreachable_store_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that does not answer ends in one line and exit code 2."""
    monkeypatch.setenv("CX_STORE_URL", "postgresql://cx:x@127.0.0.1:1/store")
    result = CliRunner().invoke(cx, ["simulate", "--for", "1"])
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1
