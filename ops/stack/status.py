"""How the pipeline is: facts gathered side by side, and what is wrong with them, as sentences."""

from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooSlow
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from connectors import register
from ops import kafka_access
from ops.objectives import file
from ops.objectives.described import described
from ops.settings import Settings
from ops.stack import background, detached, probes
from ops.stack.topics import CAPTURED

Facts = dict[str, Any]
LOOK_SECONDS = 6.0
OUTBOX_PATIENCE_SECONDS = 60.0
RELAY_PATIENCE_SECONDS = 30.0
FLAPPING_FAILURES = 3
UNREADABLE = "unreadable"


def gather(settings: Settings) -> Facts:
    """Everything that can be seen now; a source that does not answer is {"unreadable": why}."""
    run_directory = Path(settings.run_directory).resolve()
    state = detached.read_state(run_directory) if detached.is_supervised(run_directory) else {}
    looks: dict[str, Callable[[], Any]] = {
        "warehouse": lambda: probes.warehouse(settings.warehouse_url),
        "slot": lambda: probes.slot(settings.store_url),
        "lag": lambda: probes.lag(kafka_access.chosen(settings), settings.consumer_group, CAPTURED),
        "connector": lambda: _connector(settings.connect_url),
        "objectives": lambda: described(settings.warehouse_url, file.read(settings.objectives)),
    }
    needed = {
        "warehouse": "warehouse_url", "slot": "store_url", "lag": "kafka_bootstrap", "connector": "connect_url",
        "objectives": "warehouse_url",
    }  # fmt: skip
    running = {name: background.call(look) for name, look in looks.items() if getattr(settings, needed[name])}
    facts = {name: _result(running[name]) if name in running else {UNREADABLE: "no address"} for name in looks}
    warehouse = facts.pop("warehouse")
    seen = {"warehouse": warehouse} if UNREADABLE in warehouse else warehouse
    return {
        "supervised": bool(state),
        "parts": {name: _part(part) for name, part in state.get("parts", {}).items()},
        "connector": {**(facts.pop("connector") or {UNREADABLE: "not registered"}), **state.get("connector", {})},
        **facts,
        **seen,
        "consumer_group": settings.consumer_group,
        "endpoints": endpoints(settings),
    }


def _result(future: Future[Any]) -> Any:
    try:
        return future.result(timeout=LOOK_SECONDS)
    except TooSlow:
        return {UNREADABLE: "no answer in time"}
    except Exception as error:  # noqa: BLE001 - whatever the reason, the other facts are still wanted
        return {UNREADABLE: " ".join(str(error).split()) or type(error).__name__}


def _connector(connect_url: str) -> Facts | None:
    status = register.status(connect_url)
    return {"state": status.connector, "tasks": list(status.tasks), "trace": status.trace} if status else None


def _part(part: Facts) -> Facts:
    # A part that dies again and again is up only between two deaths; a healthy minute clears its failures.
    return {**part, "up": part["phase"] == "up" and part["failures"] < FLAPPING_FAILURES}


def part_problems(parts: Facts) -> list[str]:
    """Which parts are not up, of those the supervisor describes."""
    seen = {name: _part(part) for name, part in parts.items()}
    return [_part_problem(name, part) for name, part in seen.items() if not part["up"]]


def nothing_runs(facts: Facts) -> bool:
    """No supervisor, and neither the warehouse nor Connect answers."""
    return not facts["supervised"] and "warehouse" in facts and UNREADABLE in facts["connector"]


def problems(facts: Facts) -> list[str]:
    """What is not well, one sentence each; empty: all is well."""
    return [
        *part_problems(facts["parts"]),
        *_unreadable_problems(facts),
        *_connector_problems(facts["connector"]),
        *_slot_problems(facts["slot"]),
        *_publish_problems(facts.get("last_cycle")),
        *_outbound_problems(facts.get("outbound")),
        *_webhook_problems(facts.get("webhooks")),
        *_alert_problems(facts.get("alerts", {})),
        *_objective_problems(facts.get("objectives", [])),
    ]


def _part_problem(name: str, part: Facts) -> str:
    why = f", last: {part['last_exit']}" if part["last_exit"] else ""
    phase = "up, but keeps dying" if part["phase"] == "up" else part["phase"]
    return f"{name} is {phase} ({part['restarts']} restarts{why}); see .run/logs/{name}.log"


def _unreadable_problems(facts: Facts) -> list[str]:
    names = [name for name in ("warehouse", "lag", "slot") if name in facts and facts[name] and UNREADABLE in facts[name]]
    return [f"{name} cannot be read: {facts[name][UNREADABLE]}" for name in names]


def _connector_problems(connector: Facts) -> list[str]:
    if UNREADABLE in connector:
        return [f"the connector cannot be read: {connector[UNREADABLE]}"]
    found = []
    if connector["state"] != register.RUNNING or not connector["tasks"] or set(connector["tasks"]) != {register.RUNNING}:
        tasks = ", ".join(connector["tasks"]) or "none"
        found.append(f"the connector is {connector['state']}, its tasks: {tasks} {connector['trace']}".rstrip())
    if connector.get("given_up"):
        found.append("the supervisor no longer restarts the connector; see .run/logs/connect.log")
    return found


def _slot_problems(slot: Facts | None) -> list[str]:
    if slot is None:
        return ["the store has no replication slot cx_enrichment: changes are not being kept for the connector"]
    if UNREADABLE in slot:
        return []
    if slot["wal_status"] in ("lost", "unreserved"):
        return [f"the replication slot is {slot['wal_status']}: changes may be gone, a backfill is needed"]
    return [] if slot["active"] else ["nobody reads the replication slot: the store keeps WAL for it"]


def _publish_problems(cycle: Facts | None) -> list[str]:
    if not cycle or cycle["outcome"] == "published":
        return []
    return [f"the last publish cycle was {cycle['outcome']}: {cycle['message']}".rstrip(": ")]


def _outbound_problems(outbound: Facts | None) -> list[str]:
    if not outbound:
        return []
    late, refused = outbound["seconds_behind"], outbound["crm_refused"]
    behind = f"the outbound topics are {late:,.0f} s behind: is `cx outbound` running, does Kafka answer?"
    found = [behind] if late > RELAY_PATIENCE_SECONDS and not outbound["filling"] else []
    return [*found, *([f"the CRM refuses the flags of {refused} accounts: `cx outbound crm` says why"] if refused else [])]


def _webhook_problems(webhooks: Facts | None) -> list[str]:
    if not webhooks:
        return []
    found = [f"webhook subscription {name} is disabled: `cx webhooks list` says why" for name in webhooks["disabled"]]
    found += [f"webhook subscriber {name} takes nothing: `cx webhooks list` has its answer" for name in webhooks["left_alone"]]
    return [*found, *([f"{webhooks['dead']:,} webhook messages were given up"] if webhooks["dead"] else [])]


def _alert_problems(alerts: Facts) -> list[str]:
    late = alerts.get("oldest_unprocessed_seconds", 0) > OUTBOX_PATIENCE_SECONDS
    waiting = [f"{alerts['unprocessed']} alerts wait in the outbox: the notifier does not read it"] if late else []
    broken = [channel for channel in alerts.get("channels", []) if channel["state"] != "working"]
    return [
        *waiting,
        *(f"Slack channel {channel['channel']} is {channel['state']}: {channel['last_error']}" for channel in broken),
        *(f"critical: {incident['summary']} ({incident['owner']})" for incident in alerts.get("critical", [])),
    ]


def _objective_problems(objectives: list[Facts] | Facts) -> list[str]:
    # A warehouse that cannot be read is one problem, not two.
    return [] if isinstance(objectives, dict) else [one["problem"] for one in objectives if one["problem"]]


def endpoints(settings: Settings) -> dict[str, str]:
    """Every address outside programs use, secrets masked."""
    addresses = {
        "CX_STORE_URL": settings.store_url,
        "CX_WAREHOUSE_URL": settings.warehouse_url,
        "CX_BI_URL": settings.bi_url,
        "CX_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "CX_CONNECT_URL": settings.connect_url,
        "CX_SLACK_WEBHOOK_URL": settings.slack_webhook_url,
        "CX_FLAG_URL": settings.flag_url,
        "CX_WORKER_METRICS_PORT": settings.worker_metrics_port,
        "CX_PUBLISHER_METRICS_PORT": settings.publisher_metrics_port,
        "CX_SUPERVISOR_METRICS_PORT": settings.supervisor_metrics_port,
        "CX_OUTBOUND_METRICS_PORT": settings.outbound_metrics_port,
    }
    return {name: masked(address) for name, address in addresses.items()}


def masked(address: str) -> str:
    """An address without its secret: a password becomes ***, the path of a webhook too."""
    parts = urlsplit(address)
    if parts.password:
        return address.replace(f":{parts.password}@", ":***@", 1)
    if parts.scheme == "https" and parts.path.strip("/"):
        return f"https://{parts.netloc}/***"
    return address
