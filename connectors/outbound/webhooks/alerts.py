"""What people are told about a subscription: it is left alone for long, it was disabled, messages were given up. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

CIRCUIT_PATIENCE = timedelta(minutes=5)
CIRCUIT, DISABLED, DEAD = "circuit", "disabled", "dead"


@dataclass(frozen=True)
class Seen:
    """A subscription as the sweep sees it. `alerts`: what is firing already."""

    subscription: str
    state: str
    why: str | None
    opened_at: datetime | None
    last_error: str | None
    alerts: list[str]
    waiting: int
    dead: int


@dataclass(frozen=True)
class Alert:
    """One row for ops.alert_outbox."""

    kind: str
    subscription: str
    state: str
    summary: str
    details: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        return f"webhooks:{self.kind}:{self.subscription}"


def news(seen: Seen, now: datetime) -> list[Alert]:
    """What begins and what is over."""
    firing = {alert.kind: alert for alert in _firing(seen, now)}
    over = [Alert(kind, seen.subscription, "ok", _relief(kind, seen), {}) for kind in seen.alerts if kind not in firing]
    return [*(alert for kind, alert in firing.items() if kind not in seen.alerts), *over]


def _firing(seen: Seen, now: datetime) -> Iterator[Alert]:
    name = seen.subscription
    if seen.state == "active" and seen.opened_at is not None and now - seen.opened_at >= CIRCUIT_PATIENCE:
        silence = _minutes(now - seen.opened_at)
        summary = f"Webhook subscriber {name} has not taken anything for {silence}: {seen.waiting:,} messages wait."
        remedy = f"Ask its owner. It is tried again by itself; `cx webhooks resume {name}` tries at once."
        yield _alert(CIRCUIT, seen, summary, remedy)
    if seen.state == "disabled":
        summary = f"Webhook subscription {name} is disabled: {seen.why or 'no reason given'}."
        remedy = f"Remove it from the subscriptions file, or `cx webhooks resume {name}` once the subscriber wants it again."
        yield _alert(DISABLED, seen, summary, remedy)
    if seen.dead:
        summary = f"{seen.dead:,} webhook messages for {name} were given up."
        remedy = f"Once the subscriber answers: `cx webhooks replay {name} --dead`."
        yield _alert(DEAD, seen, summary, remedy)


def _alert(kind: str, seen: Seen, summary: str, remedy: str) -> Alert:
    extra = {"last answer": seen.last_error or "none", "waiting": seen.waiting}
    affected = seen.dead if kind == DEAD else seen.waiting
    return Alert(kind, seen.subscription, "firing", summary, {
        "affected": affected, "remedy": remedy, "runbook": "webhooks", "extra": extra,
    })  # fmt: skip


def _relief(kind: str, seen: Seen) -> str:
    said = {CIRCUIT: "takes messages again", DISABLED: "is enabled again", DEAD: "has no message left that was given up"}
    return f"Webhook subscriber {seen.subscription} {said[kind]}."


def _minutes(length: timedelta) -> str:
    return f"{int(length.total_seconds() // 60)} minutes"
