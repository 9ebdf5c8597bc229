"""dbt in this process against one warehouse, and the publish transaction between two cycles."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from expectations.publish import catalog, transaction, transform
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
        """Invoke dbt once; the project is parsed once per warehouse, target and set of variables."""
        from dbt.cli.main import dbtRunner

        known = f"{self.url} {self.target} {variables}"
        globally = ["--no-send-anonymous-usage-stats", "--no-use-colors", "--log-level", "none"]
        globally += ["--log-path", str(self.scratch / "logs")]
        project = ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--target", self.target]
        project += ["--vars", variables, "--target-path", str(self.scratch / "target")]
        with environment(self.url):
            if known not in _manifests:
                parsed = dbtRunner().invoke([*globally, "parse", *project])
                assert parsed.success, parsed.exception
                _manifests[known] = parsed.result
            return dbtRunner(manifest=_manifests[known]).invoke([*globally, *arguments, *project])

    def build(self, *arguments: str, **settings: str) -> None:
        """Run models and insist that all of them succeed."""
        result = self.dbt("run", *arguments, **settings)
        assert result.success, failures(result)

    def publish(self) -> None:
        """Publish the candidates as they are, without a gate: the publisher's own differences, by the keys that dbt touched."""
        window = catalog.built_window(self.connection)
        assert window is not None, "dbt has not built anything yet"
        marts = transform.marts_of(_manifests[f"{self.url} {self.target} {{}}"].nodes.values())
        changes = transaction.plan(self.connection, marts, window)
        transaction.prepare(self.connection, changes)
        transaction.publish(self.connection, changes, window, gate=transaction.GateResult("passed", {}), remember=lambda _: None)

    def remember(self, name: str, schema: str = "build") -> None:
        """Keep a copy of all marts as schema `name`."""
        self.connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(name)))
        self.connection.execute(sql.SQL("create schema {}").format(sql.Identifier(name)))
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
