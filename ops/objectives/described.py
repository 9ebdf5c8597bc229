"""What `cx status` says of the objectives, as plain values."""

from datetime import UTC, datetime
from typing import Any

import psycopg

from ops.objectives import outlook, words
from ops.objectives.outlook import Standing
from ops.objectives.rules import Promises
from ops.stack import probes


def described(warehouse_url: str, promises: Promises) -> list[dict[str, Any]]:
    """Every objective as it stands now. Raises psycopg.Error."""
    with psycopg.connect(warehouse_url, **probes.CONNECT_OPTIONS) as connection:  # type: ignore[arg-type]
        return [_described(one) for one in outlook.standings(connection, promises, datetime.now(UTC))]


def _described(one: Standing) -> dict[str, Any]:
    objective, newest = one.objective, one.newest
    return {
        "name": objective.name,
        "title": objective.title,
        "met": one.is_met if one.is_measured else None,
        "unit": objective.unit,
        "value": newest.value if newest else None,
        "target": objective.target,
        "measured_at": newest.at if newest else None,
        "goal": objective.goal,
        "window_seconds": objective.window.total_seconds(),
        "measured_seconds": one.spent.measured_seconds,
        "measured_ratio": round(one.covered_share, 6),
        "budget_seconds": round(one.budget.allowed_seconds, 3),
        "budget_spent_seconds": one.budget.spent_seconds,
        "budget_left_ratio": round(one.budget.left_share, 6),
        "burn_rates": {words.window(length): round(rate, 3) for length, rate in one.rates.items()},
        "burning": one.alert.severity if one.alert else None,
        "owner": objective.owner,
        "sentence": words.standing(one),
        "problem": "" if one.is_met else words.problem(one),
    }
