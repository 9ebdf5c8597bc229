"""The dashboards' assets fit the marts: every column that a chart uses is in a dbt contract or a dbt source beside them."""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from ops.dashboards.place import ASSETS, SLUGS
from ops.settings import PROJECT_DIRECTORY

CONTRACTS = PROJECT_DIRECTORY / "dbt_project" / "models" / "marts"
SOURCES = PROJECT_DIRECTORY / "dbt_project" / "models" / "staging" / "_sources.yml"
COLUMNS = """
select attrelid::regclass::text, attname, format_type(atttypid, null)
from pg_attribute
where attrelid = any(%s::regclass[]) and attnum > 0 and not attisdropped
"""
RELATION = re.compile(r"\bmarts\.(\w+)")
Assets = dict[str, list[dict[str, Any]]]
Contract = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def assets() -> Assets:
    """The assets by kind, parsed."""
    return {
        kind: [yaml.safe_load(file.read_text()) for file in sorted((ASSETS / kind).rglob("*.yaml"))]
        for kind in ("databases", "datasets", "charts", "dashboards")
    }


def columns_of(tables: list[dict[str, Any]]) -> Contract:
    return {table["name"]: {column["name"]: column["data_type"] for column in table["columns"]} for table in tables}


@pytest.fixture(scope="module")
def beside() -> Contract:
    """Type by column by relation of what stands beside the marts in their schema, as the dbt sources say."""
    sources = {source["name"]: source["tables"] for source in yaml.safe_load(SOURCES.read_text())["sources"]}
    return columns_of([table for table in sources["published"] if not table["name"].startswith("fct_")])


@pytest.fixture(scope="module")
def contract(beside: Contract) -> Contract:
    """Type by column by relation of schema marts: the dbt contracts, and what stands beside them."""
    models = [model for file in CONTRACTS.glob("[!_]*.yml") for model in yaml.safe_load(file.read_text())["models"]]
    return columns_of(models) | beside


@pytest.fixture
def reader(warehouse_url: str) -> Iterator[psycopg.Connection]:
    """The warehouse as bi_reader, who may read schema marts and nothing else."""
    with psycopg.connect(warehouse_url) as connection:
        yield connection


def problems(connection: psycopg.Connection, contract: Contract, assets: Assets) -> list[str]:
    """Make empty marts from the contract, and let PostgreSQL plan what every chart asks. One line per chart that fails."""
    found = []
    with connection.transaction(force_rollback=True):
        make_empty(connection, contract)
        connection.execute("set local role bi_reader")
        datasets = {dataset["uuid"]: dataset for dataset in assets["datasets"]}
        for chart in assets["charts"]:
            error = plan(connection, question(chart, datasets[chart["dataset_uuid"]]))
            found += [f"{chart['slice_name']}: {error}"] if error else []
    return found


def make_empty(connection: psycopg.Connection, contract: Contract) -> None:
    """Put empty tables of the contract into schema marts, in the place of what is there."""
    connection.execute("drop schema marts cascade; create schema marts; grant usage on schema marts to bi_reader")
    for mart, columns in contract.items():
        defined = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        connection.execute(f"create table marts.{mart} ({defined}); grant select on marts.{mart} to bi_reader".encode())


def question(chart: dict[str, Any], dataset: dict[str, Any]) -> str:
    """What the chart asks of its dataset, without filters' values and grouping: every column and every metric once."""
    metrics = {metric["metric_name"]: metric["expression"] for metric in dataset["metrics"]}
    columns, asked = names(chart["params"])
    selected = [f'max(asked."{column}"::text)' for column in columns] + [metrics[metric] for metric in asked]
    return f"select {', '.join(selected)} from (\n{dataset['sql']}\n) as asked"


def names(params: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Columns and metrics that a chart's parameters name."""
    grouped = params.get("groupby") or []
    columns = [*(params.get("all_columns") or []), *([grouped] if isinstance(grouped, str) else grouped)]
    columns += [params["x_axis"]] if params.get("x_axis") else []
    columns += [condition["subject"] for condition in params.get("adhoc_filters") or []]
    columns += [yaml.safe_load(order)[0] for order in params.get("order_by_cols") or []]
    metrics = [*(params.get("metrics") or []), params.get("metric"), params.get("timeseries_limit_metric")]
    return list(dict.fromkeys(columns)), [metric for metric in dict.fromkeys(metrics) if metric]


def plan(connection: psycopg.Connection, query: str) -> str:
    """PostgreSQL's complaint about the query; empty when it can be run."""
    try:
        with connection.transaction():
            connection.execute(f"explain {query}".encode())
    except psycopg.Error as error:
        return str(error).splitlines()[0]
    return ""


def test_every_chart_can_be_drawn_from_the_contracts_as_bi_reader(
    reader: psycopg.Connection, contract: Contract, assets: Assets
) -> None:
    """All columns and metrics of all charts are there, in schema marts, for a role that may read nothing else."""
    assert len(assets["charts"]) > 30
    assert problems(reader, contract, assets) == []


def test_a_column_that_goes_away_names_the_charts_that_break(
    reader: psycopg.Connection, contract: Contract, assets: Assets
) -> None:
    """Without any one column that a dataset reads, at least one chart fails."""
    used = [
        (mart, column)
        for mart, columns in contract.items()
        for column in columns
        if any(
            mart in RELATION.findall(dataset["sql"]) and re.search(rf"\.?\b{column}\b", dataset["sql"])
            for dataset in assets["datasets"]
        )
    ]
    removed = [
        ("fct_ticket_signals", "evidence_url"),
        ("fct_account_churn_risk", "trend_7d"),
        ("fct_pipeline_latency", "p95_seconds"),
        ("publications", "gate_result"),
        ("pipeline_cycles", "hindrance"),
        ("pipeline_gate_checks", "affected_rows"),
        ("pipeline_held_tickets", "check_name"),
        ("pipeline_dead_letters", "remedy"),
        ("pipeline_reconciliations", "unexplained_rows"),
        ("pipeline_alert_precision", "real_share"),
    ]

    assert set(removed) < set(used)
    for mart, column in removed:
        less = copy.deepcopy(contract)
        del less[mart][column]
        assert any(column in problem for problem in problems(reader, less, assets)), column


def test_what_stands_beside_the_marts_is_as_dbt_describes_it(reader: psycopg.Connection, beside: Contract) -> None:
    """The views of the pipeline and the record of publications have the columns and types that the dbt sources name."""
    real: Contract = {}
    for relation, column, kind in reader.execute(COLUMNS, [[f"marts.{name}" for name in beside]]):
        real.setdefault(relation.removeprefix("marts."), {})[column] = kind.replace("timestamp with time zone", "timestamptz")

    assert len(beside) == 7
    assert beside == real


def test_datasets_list_the_columns_that_their_sql_gives(reader: psycopg.Connection, contract: Contract, assets: Assets) -> None:
    """What a chart can choose from is what the SQL returns, no more and no less."""
    with reader.transaction(force_rollback=True):
        make_empty(reader, contract)
        for dataset in assets["datasets"]:
            given = reader.execute(f"select * from (\n{dataset['sql']}\n) as given limit 0".encode()).description or []
            assert {column.name for column in given} == {column["column_name"] for column in dataset["columns"]}, dataset[
                "table_name"
            ]


def test_dashboards_refer_to_what_is_there(assets: Assets) -> None:
    """Charts in the layout exist and every chart is on a dashboard; filters name columns of datasets."""
    charts = {chart["uuid"] for chart in assets["charts"]}
    columns = {dataset["uuid"]: {column["column_name"] for column in dataset["columns"]} for dataset in assets["datasets"]}
    placed = {
        component["meta"]["uuid"]
        for dashboard in assets["dashboards"]
        for component in dashboard["position"].values()
        if isinstance(component, dict) and component["type"] == "CHART"
    }
    filters = [chosen for dashboard in assets["dashboards"] for chosen in dashboard["metadata"]["native_filter_configuration"]]
    targets = [target for chosen in filters for target in chosen["targets"] if target]

    assert placed == charts
    assert len(targets) > 8
    assert all(target["column"]["name"] in columns[target["datasetUuid"]] for target in targets)
    assert {dashboard["slug"] for dashboard in assets["dashboards"]} == set(SLUGS)


def test_exposures_name_the_dashboards_and_what_they_read(contract: Contract, assets: Assets) -> None:
    """Each dashboard is a dbt exposure with its address, its title and everything that its charts read."""
    exposures = yaml.safe_load((CONTRACTS / "_exposures.yml").read_text())["exposures"]
    by_address = {
        exposure["url"].rstrip("/").rsplit("/", 1)[-1]: exposure for exposure in exposures if exposure["type"] == "dashboard"
    }
    datasets = {dataset["uuid"]: dataset for dataset in assets["datasets"]}
    read_by = {chart["uuid"]: marts_of(datasets[chart["dataset_uuid"]]) for chart in assets["charts"]}

    assert set(by_address) == set(SLUGS)
    for dashboard in assets["dashboards"]:
        exposure = by_address[dashboard["slug"]]
        parts = [part for part in dashboard["position"].values() if isinstance(part, dict) and part["type"] == "CHART"]
        read = set[str]().union(*(read_by[part["meta"]["uuid"]] for part in parts))
        assert exposure["label"] == dashboard["dashboard_title"]
        assert {re.findall(r"'(\w+)'", name)[-1] for name in exposure["depends_on"]} == read


def marts_of(dataset: dict[str, Any]) -> set[str]:
    return set(RELATION.findall(dataset["sql"]))


def test_assets_hold_no_secret_and_no_address(assets: Assets) -> None:
    """The database asset names a place that only the configuration can fill in; nothing may write."""
    (database,) = assets["databases"]

    assert database["sqlalchemy_uri"] == "postgresql+psycopg2://bi_reader@warehouse/warehouse"
    assert not any(database[allowed] for allowed in ("allow_dml", "allow_ctas", "allow_cvas", "allow_csv_upload"))


def test_the_latency_charts_show_the_objective_that_is_kept(assets: Assets) -> None:
    """The seconds on the dashboard are the target of objective end_to_end_p95."""
    objectives = yaml.safe_load((PROJECT_DIRECTORY / "ops" / "objectives" / "objectives.yml").read_text())["objectives"]
    target = next(objective["target"] for objective in objectives if objective["name"] == "end_to_end_p95")
    latency = next(dataset for dataset in assets["datasets"] if dataset["table_name"] == "pipeline_latency")

    assert f"{target} as objective_seconds" in latency["sql"]


def test_bars_that_filter_by_their_axis_stand_upright(assets: Assets) -> None:
    """Superset 6.1 filters by a lying bar's length instead of its name, and the page goes empty."""
    bars = [chart["params"] for chart in assets["charts"] if chart["viz_type"] == "echarts_timeseries_bar"]
    named = [params for params in bars if not params["groupby"]]

    assert len(named) >= 4
    assert {params["orientation"] for params in named} == {"vertical"}


def test_no_chart_asks_twice(assets: Assets) -> None:
    """Each chart is one statement, so it shows one publication: no totals, server pages or mixed queries, which ask again."""
    for chart in assets["charts"]:
        params = chart["params"]
        assert not params.get("show_totals") and not params.get("server_pagination"), chart["slice_name"]
        assert chart["viz_type"] not in {"mixed_timeseries", "big_number"}, chart["slice_name"]


def test_the_lock_pins_superset_by_hash() -> None:
    """Superset's lock is complete, hashed, and names no registry."""
    lock = Path(PROJECT_DIRECTORY / "ops" / "dashboards" / "superset.lock").read_text()
    pinned = re.findall(r"^([a-z0-9._-]+)==", lock, re.MULTILINE)

    assert "apache-superset==6.1.0" in lock
    assert len(pinned) > 100 and lock.count("--hash=sha256:") > len(pinned)
    assert "http" not in re.sub(r"^(http|h)[a-z0-9-]*==.*|^.*http[a-z0-9-]*==.*", "", lock, flags=re.MULTILINE)
