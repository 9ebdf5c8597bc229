"""Write all assets as Superset exports them, so that the same state gives the same bytes. Run by Superset's Python.

superset_export.py <directory>. What an installation decides is left out: numbers of rows, passwords, the time of export.
"""
# mypy: disable-error-code="import-not-found,import-untyped"
# ruff: noqa: PLC0415 - what Superset's modules import wants its application first

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

ADDRESS = "postgresql+psycopg2://bi_reader@warehouse/warehouse"
FOLDERS = ("databases", "datasets", "charts", "dashboards")
NUMBERED = re.compile(r"_\d+(?=\.yaml$)")  # Superset appends its row number to file names


def exported(app: Any) -> dict[str, str]:
    """Text by path, as Superset's own export of everything gives it."""
    from superset import security_manager
    from superset.commands.export.assets import ExportAssetsCommand
    from superset.utils.core import override_user

    with app.app_context(), app.test_request_context(), override_user(security_manager.find_user("admin")):
        return {path: content() for path, content in ExportAssetsCommand().run()}


def settled(files: dict[str, str]) -> dict[str, Any]:
    """The same assets without what differs from one installation to the next."""
    assets = {NUMBERED.sub("", path): yaml.safe_load(text) for path, text in files.items() if path.endswith(".yaml")}
    assets["metadata.yaml"]["timestamp"] = "2026-11-24T00:00:00+00:00"
    charts = sorted(asset["uuid"] for path, asset in assets.items() if path.startswith("charts/"))
    numbers = {uuid: number for number, uuid in enumerate(charts, start=1)}
    for path, asset in assets.items():
        if path.startswith("databases/"):
            asset["sqlalchemy_uri"] = ADDRESS
        if path.startswith("datasets/"):
            asset["columns"].sort(key=lambda column: place_of(column["column_name"], asset["sql"]))
            asset["metrics"].sort(key=lambda metric: metric["metric_name"])
        if path.startswith("charts/"):
            settle_chart(asset)
        if path.startswith("dashboards/"):
            settle_dashboard(asset, numbers)
    return assets


def place_of(column: str, query: str) -> tuple[int, str]:
    """Where a query's list names the column: a window of tickets shows them in this order."""
    found = re.search(rf"\b{re.escape(column)},?$", query, re.MULTILINE)
    return found.start() if found else len(query), column


def settle_chart(chart: dict[str, Any]) -> None:
    """The importer fills in the dataset's and the dashboards' row numbers."""
    chart["params"].update(datasource="1__table", dashboards=[])
    chart["params"].pop("slice_id", None)
    chart["query_context"] = None


def settle_dashboard(dashboard: dict[str, Any], numbers: dict[str, int]) -> None:
    """Charts are named by uuid; their numbers become their places in the order of uuids."""
    for component in dashboard["position"].values():
        if isinstance(component, dict) and component.get("type") == "CHART":
            component["meta"]["chartId"] = numbers[component["meta"]["uuid"]]
    metadata = dashboard["metadata"]
    # Colours that viewing a dashboard works out, and charts that a filter reaches, are found again at the next look.
    metadata.update(chart_configuration={}, map_label_colors={}, shared_label_colors=[], color_scheme_domain=[])
    metadata["global_chart_configuration"] = {"scope": {"rootPath": ["ROOT_ID"], "excluded": []}, "chartsInScope": []}
    for chosen in metadata.get("native_filter_configuration", []):
        chosen.update(chartsInScope=[], tabsInScope=[])


def text_of(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """SQL and other text of several lines stays readable."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


def write(assets: dict[str, Any], directory: Path) -> None:
    """Replace the assets in the directory; other files there stay."""
    yaml.SafeDumper.add_representer(str, text_of)
    for folder in FOLDERS:
        shutil.rmtree(directory / folder, ignore_errors=True)
    for path, asset in assets.items():
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(asset, sort_keys=True, allow_unicode=True, width=120))


if __name__ == "__main__":
    from superset.app import create_app

    write(settled(exported(create_app())), Path(sys.argv[1]))
