"""The lag alert `stream:lag`: told at the first sample of a stream that is too far behind, over at the first that is not.

Not a burn rate: an outage of a minute is to be heard of even though no budget is in danger. The worker cannot tell it, it is
what waits; samples taken while the warehouse is away are told when it is back.
"""

from collections.abc import Iterable
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from ops.objectives import words
from ops.objectives.rules import Objective, Promises
from ops.objectives.samples import TELL, Sample

FINGERPRINT = "stream:lag"
LAST_STATE = "select state from ops.alert_outbox where fingerprint = %s order by alert_id desc limit 1"


def changes(samples: Iterable[Sample], is_firing: bool) -> list[Sample]:
    """The samples at which the alert begins or ends, in their order. A source that did not answer changes nothing."""
    found = []
    for sample in samples:
        if sample.value is not None and sample.is_bad != is_firing:
            is_firing = sample.is_bad
            found.append(sample)
    return found


def lag_objective(promises: Promises) -> Objective | None:
    """The objective whose value is the stream's lag in seconds; its target is the threshold of the alert."""
    return next((one for one in promises.objectives if (one.source, one.query) == ("kafka", "lag_seconds")), None)


def tell(connection: Connection[Any], promises: Promises, samples: Iterable[Sample]) -> None:
    """Write to the outbox where the alert begins and where it ends."""
    objective = lag_objective(promises)
    if objective is None:
        return
    told = connection.execute(LAST_STATE, [FINGERPRINT]).fetchone()
    own = (sample for sample in samples if sample.objective == objective.name)
    for sample in changes(own, told is not None and told[0] == "firing"):
        state, summary = ("firing", alarm(objective, sample)) if sample.is_bad else ("ok", "The stream has caught up.")
        details = {"since": sample.at.isoformat(), "remedy": objective.remedy, "runbook": "objectives"} if sample.is_bad else {}
        connection.execute(TELL, (FINGERPRINT, state, "warning", objective.owner, summary, Jsonb(details)))


def alarm(objective: Objective, sample: Sample) -> str:
    """The one sentence of the alert."""
    behind, most = words.seconds(sample.value or 0.0), words.seconds(objective.target)
    return f"The stream is {behind} behind the store, more than {most}: the marts do not show the newest changes."
