"""What the dashboard and the rules ask Prometheus."""

import json
import re
from typing import Any

import yaml

from ops.settings import PROJECT_DIRECTORY

MONITORING = PROJECT_DIRECTORY / "ops" / "monitoring"
DASHBOARD = MONITORING / "grafana" / "pipeline.json"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((MONITORING / "rules.yml").read_text())["groups"] for rule in group["rules"]
]


def expressions() -> list[str]:
    """Every expression of the rules and of the dashboard's panels."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [rule["expr"] for rule in RULES] + [target["expr"] for panel in panels for target in panel["targets"]]


def metric_names(expression: str) -> set[str]:
    """The metrics that an expression reads: cx_* and process_* names, and up, which Prometheus makes itself."""
    return set(re.findall(r"\b(?:cx_\w+|process_\w+|up(?=\{))", expression))
