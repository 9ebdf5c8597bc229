"""Prometheus, its rules and the Grafana dashboard fit one another and the compose file."""

import json
import re
from typing import Any

import pytest
import yaml

from ops.objectives import file, words
from ops.settings import PROJECT_DIRECTORY
from tests.monitoring import DASHBOARD, MONITORING, RULES, expressions, metric_names

COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT_DIRECTORY / "docker-compose.yml").read_text())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_rule_says_what_happened_and_what_to_do(rule: dict[str, Any]) -> None:
    """An expression, a severity that we know, a summary and a remedy."""
    assert rule["expr"].count("(") == rule["expr"].count(")")
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"] and rule["annotations"]["remedy"]


def test_rules_and_dashboard_name_metrics_of_ours() -> None:
    """Each expression names at least one metric."""
    assert all(metric_names(expression) for expression in expressions())


def test_burn_rules_use_the_windows_and_rates_of_the_objectives() -> None:
    """Prometheus and the notifier agree on when a budget burns too fast."""
    promised = {(words.window(length), one.rate) for one in file.read().burn_alerts for length in (one.long, one.short)}
    pattern = r'cx_objective_burn_rate\{window="(\w+)"\} >= ([\d.]+)'
    ruled = {(window, float(rate)) for rule in RULES for window, rate in re.findall(pattern, rule["expr"])}

    assert ruled == promised


def test_prometheus_scrapes_the_ports_that_compose_gives() -> None:
    """Every target is a service of the compose file at the port its settings say."""
    configuration = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    targets = {target for job in configuration["scrape_configs"] for one in job["static_configs"] for target in one["targets"]}
    environment = COMPOSE["x-ours"]["environment"]

    assert targets == {
        f"worker:{environment['CX_WORKER_METRICS_PORT']}",
        f"publisher:{environment['CX_PUBLISHER_METRICS_PORT']}",
        f"outbound:{environment['CX_OUTBOUND_METRICS_PORT']}",
        f"notifier:{COMPOSE['services']['notifier']['ports'][0].rsplit(':')[-1]}",
    }
    assert environment["CX_METRICS_BIND"] == "0.0.0.0"  # noqa: S104  # inside the network of the containers


def test_compose_mounts_files_that_exist() -> None:
    """Configuration, rules, data source and dashboard are where the containers look for them."""
    mounts = [mount for name in ("prometheus", "grafana") for mount in COMPOSE["services"][name]["volumes"] if mount[0] == "."]

    assert len(mounts) == 5
    assert all((PROJECT_DIRECTORY / mount.split(":")[0]).is_file() for mount in mounts)


def test_the_dashboard_reads_the_data_source_that_is_provisioned() -> None:
    """Every panel has a title, a place and the one data source; no two panels overlap."""
    source = yaml.safe_load((MONITORING / "grafana" / "datasources.yml").read_text())["datasources"][0]["uid"]
    panels = json.loads(DASHBOARD.read_text())["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert {panel["datasource"]["uid"] for panel in panels} == {source}
    assert all(panel["title"] for panel in panels)
    assert len(cells) == len(set(cells))
