"""What the stream tells people: one alert per batch and cause, as values."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from stream.core.batch import Batch
from stream.core.letters import Letter
from stream.core.reasons import REMEDIES, Reason
from stream.core.records import Difference

MOST_ROWS = 5
OWNER = "data-platform"
BREAKER = "stream:breaker"


class Alert(Struct):
    """One row for ops.alert_outbox. `fingerprint` names the cause."""

    fingerprint: str
    severity: str
    summary: str
    details: dict[str, Any]
    state: str = "firing"
    owner: str = OWNER


def letter_alerts(new: Sequence[Letter]) -> list[Alert]:
    """The alerts for letters that were not there before: conflicts and truncates at once, rejections per reason."""
    by_reason: dict[Reason, list[Letter]] = {}
    for letter in new:
        by_reason.setdefault(letter.reason, []).append(letter)
    return [_letter_alert(reason, letters) for reason, letters in by_reason.items()]


def _letter_alert(reason: Reason, letters: list[Letter]) -> Alert:
    if reason is Reason.CONFLICT:
        kind, severity, said = "conflict", "warning", "claim a key or version that another content holds"
    elif reason is Reason.TRUNCATE:
        kind, severity, said = "truncate", "critical", "say that a table of the store was truncated; nothing was deleted here"
    else:
        kind, severity, said = f"rejected:{reason.value}", "warning", f"break the contract ({reason.value})"
    tables = ", ".join(f"{count} of {table}" for table, count in sorted(Counter(one.table_name for one in letters).items()))
    details = {
        "affected": len(letters),
        "remedy": REMEDIES[reason],
        "runbook": "dead-letters",
        "rows": [_row(letter) for letter in letters[:MOST_ROWS]],
    }
    verb = "record" if len(letters) == 1 else "records"
    return Alert(f"stream:{kind}", severity, f"{len(letters)} {verb} ({tables}) {said}", details)


def _row(letter: Letter) -> dict[str, object]:
    """One example. It names no payload value: an alert outlives the erasure of its ticket."""
    return {
        "source_system": letter.source_system,
        "ticket_id": letter.ticket_id,
        "field": letter.reason.value,
        "value": f"{letter.topic}[{letter.kafka_partition}]@{letter.kafka_offset}",
        "evidence_url": None,
    }


def drift_alerts(differences: Sequence[Difference]) -> list[Alert]:
    """One alert per table for differences that were never reported."""
    tables = sorted({difference.table for difference in differences})
    return [_drift_alert(table, sorted(one for one in differences if one.table == table)) for table in tables]


def _drift_alert(table: str, differences: list[Difference]) -> Alert:
    said = ", ".join(f"{difference.kind.replace('_', ' ')} {difference.column}" for difference in differences)
    details = {
        "affected": len(differences),
        "remedy": "Decide in stream/drift_policy.yml, or change the contract (README, Schema drift).",
        "runbook": "schema-drift",
        "extra": {difference.column: difference.kind for difference in differences},
    }
    return Alert(f"stream:drift:{table}", "warning", f"The store's {table} differs from the contract: {said}", details)


def breaker_alert(batch: Batch) -> Alert:
    """The worker stops because nearly everything is rejected."""
    rejections = [one for _, one in batch.rejections]
    details = {
        "affected": len(rejections),
        "remedy": "Find out which release broke the records; undo it or change the contract: the worker goes on by itself. "
        "`cx worker --let-through` drains them into the dead letters instead.",
        "runbook": "breaker",
        "extra": {"reasons": dict(Counter(str(one.reason) for one in rejections))},
    }
    summary = f"The stream stopped: {len(rejections)} of the newest {len(batch.records)} records are rejected"
    return Alert(BREAKER, "critical", summary, details)


def breaker_closed_alert() -> Alert:
    """The records are good again."""
    return Alert(BREAKER, "critical", "The stream goes on: the newest records are good", {}, state="ok")
