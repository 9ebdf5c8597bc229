"""The embedded stack: starts whole, restarts what dies, leaves nothing behind."""

from dataclasses import replace

import psycopg

from connectors import register
from ops.stack import detached, layout, postgres, processes
from tests.conftest import wait_until
from tests.stack_fixture import RunningStack, running_stack, tmp_directory


def test_the_connector_runs_once_the_stack_is_up(stack: RunningStack) -> None:
    """When everything is up, Connect reports the connector and its one task RUNNING."""
    assert register.status(stack.connect_url) == register.ConnectorStatus("RUNNING", ("RUNNING",))


def test_bi_reader_gets_in_with_the_printed_password_file_and_sees_no_landing(stack: RunningStack) -> None:
    """bi_reader may log in, and may not read landing."""
    with psycopg.connect(stack.bi_url) as connection:
        allowed = connection.execute("select has_schema_privilege('marts', 'usage'), has_schema_privilege('landing', 'usage')")
        assert allowed.fetchone() == (True, False)


def test_a_part_that_is_killed_is_restarted_and_counted(stack: RunningStack) -> None:
    """kill -9 of Connect: the supervisor starts it again, says so, and the connector runs."""
    before = stack.part("connect")["restarts"]

    stack.kill("connect", stay_down=False)
    wait_until(lambda: stack.part("connect")["restarts"] == before + 1, what="the restart being counted")
    stack.wait_until_up("connect")

    assert stack.part("connect")["last_exit"] == "killed by SIGKILL"
    assert "connect went down (killed by SIGKILL)" in stack.log("supervisor")
    status = register.status(stack.connect_url)
    assert status is not None and status.runs


def test_postgres_comes_back_with_its_data_after_a_kill(stack: RunningStack) -> None:
    """kill -9 of PostgreSQL under its clients: it recovers, and the connector goes on."""
    with psycopg.connect(stack.store_url) as store:
        store.execute("insert into enrichment.accounts (account_id) values ('survivor')")

    stack.kill("postgres")
    stack.start("postgres")

    with psycopg.connect(stack.store_url) as store:
        assert store.execute("select 1 from enrichment.accounts where account_id = 'survivor'").fetchone()
    wait_until(lambda: (seen := register.status(stack.connect_url)) and seen.runs, what="the connector running again")


def test_a_killed_supervisor_leaves_nothing_that_down_does_not_end() -> None:
    """kill -9 of the supervisor: `cx down` ends whatever still lives of the stack."""
    with tmp_directory() as directory, running_stack(directory, without=("worker", "publisher", "notifier")) as own:
        own.kill("supervisor", stay_down=False)

        detached.stop(directory)

        assert processes.leftovers(directory) == []
        assert not detached.is_supervised(directory)


def test_a_second_start_keeps_ports_and_passwords() -> None:
    """What was chosen at the first start is what the second start finds."""
    with tmp_directory() as directory:
        first = layout.prepare(directory)

        assert layout.prepare(directory) == first
        assert (directory / "stack.env").stat().st_mode & 0o777 == 0o600


def test_a_build_without_a_compression_starts_with_the_plain_one(server: postgres.Server) -> None:
    """PostgreSQL 14, or one built without lz4, would refuse to start: it is asked before."""
    older = replace(server, extra_settings=(("wal_compression", "a compression of later years"),))
    assert "wal_compression=on" in postgres.command(older)
    assert "wal_compression=on" not in postgres.command(server)
