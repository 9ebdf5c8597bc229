"""dbt in this process against one warehouse, and what the publisher does between two cycles, in plain SQL."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from ops.settings import PROJECT_DIRECTORY

DBT_PROJECT = PROJECT_DIRECTORY / "dbt_project"
MARTS = (
    "dim_accounts", "dim_canonical_tags", "dim_drivers", "fct_account_churn_risk", "fct_driver_sentiment_daily", "fct_evidence",
    "fct_pipeline_latency", "fct_ticket_signal_versions", "fct_ticket_signals", "rpt_driver_weekly",
)  # fmt: skip
_manifests: dict[str, Any] = {}


class Warehouse:
    """One warehouse and a warm dbt; `scratch` takes dbt's artefacts."""

    def __init__(self, url: str, scratch: Path, target: str = "prod") -> None:
        self.url, self.scratch, self.target = url, scratch, target
        self.connection = psycopg.connect(url, autocommit=True)

    def dbt(self, *arguments: str, variables: str = "{}") -> Any:
        """Invoke dbt once; the project is parsed once per target and set of variables."""
        from dbt.cli.main import dbtRunner

        known = f"{self.target} {variables}"
        options = [
            "--no-send-anonymous-usage-stats", "--no-use-colors", "--log-level", "none", "--log-path", str(self.scratch / "logs"), *arguments,
            "--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--target", self.target,
            "--target-path", str(self.scratch / "target"), "--vars", variables,
        ]  # fmt: skip
        with environment(self.url):
            if known not in _manifests:
                parse = ["parse", *options[len(arguments) + 5 :]]
                _manifests[known] = dbtRunner().invoke(["--no-send-anonymous-usage-stats", "--log-level", "none", *parse]).result
            return dbtRunner(manifest=_manifests[known]).invoke(options)

    def build(self, *arguments: str, **settings: str) -> None:
        """Run models and insist that all of them succeed."""
        result = self.dbt("run", *arguments, **settings)
        assert result.success, failures(result)

    def publish(self) -> None:
        """Make marts equal to build, register the publication and close the window, as the publisher does."""
        with self.connection.transaction():
            for mart in MARTS:
                names = {"mart": sql.Identifier("marts", mart), "candidate": sql.Identifier("build", mart)}
                self.connection.execute(sql.SQL("create table if not exists {mart} (like {candidate} including comments)").format(**names))
                self.connection.execute(sql.SQL("delete from {mart}").format(**names))
                self.connection.execute(sql.SQL("insert into {mart} select * from {candidate}").format(**names))
            self.connection.execute(
                "insert into marts.publications (from_snapshot, to_snapshot, gate_result)"
                " select from_snapshot, to_snapshot, 'passed' from build.cycle_window"
            )
            self.connection.execute("update build.cycle_window set from_snapshot = to_snapshot")
            self.connection.execute("delete from ops.held_tickets where released_at is not null")

    def remember(self, name: str, schema: str = "build") -> None:
        """Keep a copy of all marts as schema `name`."""
        self.connection.execute(sql.SQL("drop schema if exists {0} cascade; create schema {0}").format(sql.Identifier(name)).as_string().encode())
        for mart in MARTS:
            copy, original = sql.Identifier(name, mart), sql.Identifier(schema, mart)
            self.connection.execute(sql.SQL("create table {} as select * from {}").format(copy, original))

    def differences(self, name: str, schema: str = "build") -> dict[str, list[Any]]:
        """Rows per mart that are in only one of the remembered and the present marts."""
        found = {}
        for mart in MARTS:
            names = {"then": sql.Identifier(name, mart), "now": sql.Identifier(schema, mart)}
            statement = "(table {then} except all table {now}) union all (table {now} except all table {then})"
            found[mart] = self.connection.execute(sql.SQL(statement).format(**names)).fetchall()
        return {mart: rows for mart, rows in found.items() if rows}

    def rows(self, query: str, *parameters: Any) -> list[Any]:
        return self.connection.execute(query.encode(), parameters or None).fetchall()

    def close(self) -> None:
        self.connection.close()
        shutil.rmtree(self.scratch, ignore_errors=True)


def failures(result: Any) -> str:
    """What dbt says about the nodes that did not succeed."""
    messages = [f"{run.node.name}: {run.message}" for run in result.result or () if str(run.status) not in ("success", "pass")]
    return "; ".join(messages) or str(result.exception)


@contextmanager
def environment(url: str) -> Iterator[None]:
    """libpq's variables for the profile, and the working directory back afterwards."""
    parts, directory = urlsplit(url), Path.cwd()
    values = {
        "PGHOST": parts.hostname or "", "PGPORT": str(parts.port), "PGUSER": parts.username or "",
        "PGPASSWORD": parts.password or "", "PGDATABASE": parts.path.lstrip("/"),
    }  # fmt: skip
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        os.chdir(directory)
        restore(before)


def restore(before: dict[str, str | None]) -> None:
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def columns(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))
