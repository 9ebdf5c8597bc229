"""What a BI client meets as `bi_reader`, over psycopg, JDBC and ODBC: all marts with comments, and a no to everything else."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import errors

from ops.settings import PROJECT_DIRECTORY
from tests.integration.marts.history import History
from tests.integration.marts.warehouse import MARTS, Warehouse

PASSWORD = "bi-test"
READABLE = (*MARTS, "publications")
FORBIDDEN = (
    "select * from landing.ticket_signals",
    "select * from landing.dead_letters",
    "select * from ops.held_tickets",
    "select * from build.fct_ticket_signals",
    "select * from staging.stg_landing__accounts",
    "select * from intermediate.int_tag_mapping",
    "delete from marts.dim_drivers",
    "insert into marts.dim_drivers (driver) values ('mine')",
    "update marts.publications set gate_result = 'passed'",
    "create table marts.mine (id integer)",
    "create table public.mine (id integer)",
    "create schema mine",
)
INSUFFICIENT_PRIVILEGE = "42501"
COMMENTS = """
select relname, obj_description(pg_class.oid, 'pg_class'), attname, col_description(attrelid, attnum)
from pg_class
join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
where relnamespace = 'marts'::regnamespace and relkind = 'r'
"""


@pytest.fixture
def published(warehouse: Warehouse) -> Iterator[Warehouse]:
    """Marts of a small history, published, and a bi_reader who can log in."""
    history = History(warehouse.connection, seed=7)
    for _ in range(40):
        history.enrich()
    warehouse.build()
    warehouse.publish()
    warehouse.connection.execute(f"alter role bi_reader login password '{PASSWORD}'".encode())
    yield warehouse
    warehouse.connection.execute("alter role bi_reader nologin")


def test_psycopg_reads_marts_and_nothing_else(published: Warehouse) -> None:
    """Python clients see each mart and column with its comment, read them, and are refused the rest."""
    with psycopg.connect(published.url, user="bi_reader", password=PASSWORD, autocommit=True) as connection:
        described = connection.execute(COMMENTS).fetchall()
        assert {row[0] for row in described if row[1]} == set(READABLE)
        assert [row for row in described if row[0] in MARTS and not row[3]] == []
        for mart in READABLE:
            assert connection.execute(f"select * from marts.{mart}".encode()).fetchone(), mart
        for statement in FORBIDDEN:
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def test_jdbc_metadata_lists_marts_with_comments(published: Warehouse) -> None:
    """JDBC's own metadata calls, which BI tools build their browsers from, give the marts, their columns and both comments."""
    lines = jdbc(published.url, *(f"select * from marts.{mart}" for mart in READABLE), *FORBIDDEN)
    assert {table: remark != "" for kind, table, remark, *_ in lines if kind == "table"} == dict.fromkeys(READABLE, True)
    columns = [line for line in lines if line[0] == "column" and line[1] in MARTS]
    assert len(columns) > 150
    assert [line for line in columns if not line[3]] == []
    assert {line[1].split(".")[-1] for line in lines if line[0] == "answered" and int(line[2]) > 0} == set(READABLE)
    assert {line[1]: line[2] for line in lines if line[0] == "refused"} == dict.fromkeys(FORBIDDEN, INSUFFICIENT_PRIVILEGE)


def test_odbc_reads_marts_and_nothing_else(published: Warehouse) -> None:
    """ODBC's catalog call lists the marts; comments, which psqlODBC leaves empty in it, come by query."""
    listed = odbc(published.url, "help")
    assert {line.split("|")[2] for line in listed if "|marts|" in line and "|TABLE|" in line} == set(READABLE)
    for mart in READABLE:
        assert odbc(published.url, f"select obj_description('marts.{mart}'::regclass, 'pg_class')")[0].strip(), mart
        assert int(odbc(published.url, f"select count(*) from marts.{mart}")[0]) > 0, mart
    for statement in FORBIDDEN:
        assert "permission denied" in " ".join(odbc(published.url, statement)), statement


def jdbc(url: str, *statements: str) -> list[list[str]]:
    """Run BiClient.java with the pgjdbc that Debezium brings along; its lines as fields."""
    drivers = sorted((PROJECT_DIRECTORY / ".run" / "kafka" / "plugins").rglob("postgresql-42*.jar"))
    if not drivers or not shutil.which("java"):
        pytest.fail("JDBC needs Java and Debezium's plugin folder in .run/kafka: run `make setup`")
    parts = urlsplit(url)
    address = f"jdbc:postgresql://{parts.hostname}:{parts.port}{parts.path}"
    program = Path(__file__).with_name("BiClient.java")
    command = ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", str(drivers[-1]), str(program), address, PASSWORD]
    finished = subprocess.run([*command, *statements], check=True, capture_output=True, text=True, timeout=120)
    return [line.split("\t") for line in finished.stdout.splitlines()]


def odbc(url: str, statement: str) -> list[str]:
    """Hand one statement or catalog call to unixODBC's isql; its lines, of which an error is one."""
    isql = shutil.which("isql")
    if not isql:
        pytest.fail("ODBC is not installed: sudo apt-get install unixodbc odbc-postgresql")
    parts = urlsplit(url)
    server = f"Driver=PostgreSQL Unicode;Server={parts.hostname};Port={parts.port};Database={parts.path[1:]}"
    command = [isql, "-k", f"{server};UID=bi_reader;PWD={PASSWORD}", "-b", "-v", "-d|"]
    finished = subprocess.run(command, check=False, input=statement + "\n", capture_output=True, text=True, timeout=60)
    lines = (finished.stdout + finished.stderr).splitlines()
    assert lines, f"no answer over ODBC to {statement}"
    return lines
