"""How every objective stands: the rules applied to what the samples say."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from ops.objectives import samples
from ops.objectives.rules import Budget, BurnAlert, Objective, Promises, budget, burn_rate, burning
from ops.objectives.samples import Sample, Spent


@dataclass(frozen=True)
class Standing:
    """One objective: its newest value, its budget, how fast it burns, and the alert that this calls for."""

    objective: Objective
    newest: Sample | None
    spent: Spent
    budget: Budget
    rates: Mapping[timedelta, float]
    alert: BurnAlert | None

    @property
    def is_measured(self) -> bool:
        """Whether its window holds any sample at all."""
        return self.spent.measured_seconds > 0

    @property
    def covered_share(self) -> float:
        """How much of its window was measured, 0 to 1."""
        return min(1.0, self.spent.measured_seconds / self.objective.window.total_seconds())

    @property
    def is_met(self) -> bool:
        """Whether it holds over its window; one that was never measured is not said to be unmet."""
        return self.budget.is_met


def standings(connection: Connection[Any], promises: Promises, at: datetime) -> list[Standing]:
    """Every objective as it stood at a moment."""
    newest = samples.newest(connection, at, patience=4 * promises.every)
    bad = samples.bad_seconds(connection, at, promises.windows)
    spent = samples.spent(connection, at, promises)
    return [_standing(one, promises, newest.get(one.name), bad, spent.get(one.name, Spent())) for one in promises.objectives]


def _standing(
    objective: Objective, promises: Promises, newest: Sample | None, bad: Mapping[tuple[str, timedelta], float], spent: Spent
) -> Standing:
    rates = {length: burn_rate(bad.get((objective.name, length), 0.0), length, objective.goal) for length in promises.windows}
    return Standing(objective, newest, spent, budget(objective, spent.bad_seconds), rates, burning(rates, promises.burn_alerts))
