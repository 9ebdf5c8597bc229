"""`cx status`: how every part is, what waits, and where to connect."""

import json
import logging
import sys
from typing import Any

import click

from ops import settings
from ops.cli import BAD_DATA, COULD_NOT_RUN


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def status(as_json: bool) -> None:
    """Show parts, connector, slot, lag, last publish, dead letters, alerts, objectives and endpoints.

    Exit code 0: all is well. 1: something is not, or an objective is unmet. 2: nothing runs.
    """
    # What a library says about an address that does not answer is in the facts already.
    logging.disable()
    from ops.stack.status import gather, nothing_runs, problems

    facts = gather(settings.load())
    wrong = problems(facts)
    if as_json:
        click.echo(json.dumps({"well": not wrong, "problems": wrong, **facts}, indent=2, default=str))
    elif nothing_runs(facts):
        click.echo("nothing runs: `cx up --detach` or `make demo` starts everything", err=True)
    else:
        click.echo("\n".join([*lines(facts), *verdict(wrong)]))
    sys.exit(COULD_NOT_RUN if nothing_runs(facts) else BAD_DATA if wrong else 0)


def lines(facts: dict[str, Any]) -> list[str]:
    """The facts as a person reads them, one subject a line."""
    parts = [row(name, f"{part['phase']}{_restarts(part)}") for name, part in facts["parts"].items()]
    return [
        *parts,
        row("connector", _connector(facts["connector"])),
        row("slot", _slot(facts["slot"])),
        row("heartbeat", _heartbeat(facts["slot"])),
        row("lag", _lag(facts["lag"], facts["consumer_group"])),
        *(row(name, text) for name, text in _behind(facts["lag"])),
        row("last publish", _publish(facts.get("last_publish"))),
        row("outbound", _outbound(facts.get("outbound"))),
        row("webhooks", _webhooks(facts.get("webhooks"))),
        row("dead letters", _letters(facts.get("dead_letters"))),
        row("alerts", _alerts(facts.get("alerts"))),
        *(row(f"objective {one['name']}", one["sentence"]) for one in _objectives(facts)),
        *(row(name, address or "-") for name, address in facts["endpoints"].items()),
    ]


def verdict(wrong: list[str]) -> list[str]:
    """The closing lines: all well, or each problem."""
    return ["", "all is well"] if not wrong else ["", *(f"! {problem}" for problem in wrong)]


def row(name: str, text: str) -> str:
    return f"{name:<36}{text}"


def _restarts(part: dict[str, Any]) -> str:
    return f", {part['restarts']} restarts (last: {part['last_exit']})" if part["restarts"] else ""


def _unreadable(facts: dict[str, Any] | None) -> bool:
    return facts is None or "unreadable" in facts


def _connector(connector: dict[str, Any]) -> str:
    if _unreadable(connector):
        return "-"
    restarts = f", restarted {connector['restarts']} times" if connector.get("restarts") else ""
    return f"{connector['state']}, task {', '.join(connector['tasks']) or 'none'}{restarts}"


def _slot(slot: dict[str, Any] | None) -> str:
    if slot is None or _unreadable(slot):
        return "-"
    read = "read" if slot["active"] else "not read"
    room = "" if slot["safe_bytes"] is None else f", {_kib(slot['safe_bytes'])} more until it is lost"
    sizes = f"{_kib(slot['retained_bytes'])} retained, {_kib(slot['unconfirmed_bytes'])} unconfirmed"
    return f"{read}, WAL {slot['wal_status']}: {sizes}{room}"


def _kib(size: int) -> str:
    return f"{size / 1024:,.0f} KiB"


def _heartbeat(slot: dict[str, Any] | None) -> str:
    age = None if slot is None or _unreadable(slot) else slot["heartbeat_age_seconds"]
    return "-" if age is None else f"{age:,.0f} s ago"


def _lag(lag: dict[str, Any], group: str) -> str:
    return "-" if _unreadable(lag) else f"{lag['records']:,} records, {_age(lag['seconds'])} (group {group})"


def _behind(lag: dict[str, Any]) -> list[tuple[str, str]]:
    """The partitions in which records wait."""
    rows = [] if _unreadable(lag) else [row for row in lag["partitions"] if row["records"]]
    return [(f"  {row['topic']}/{row['partition']}", f"{row['records']:,} records, {_age(row['seconds'])}") for row in rows]


def _age(seconds: float | None) -> str:
    return "age not known" if seconds is None else f"{seconds:,.0f} s behind"


def _objectives(facts: dict[str, Any]) -> list[dict[str, Any]]:
    objectives = facts.get("objectives")
    return objectives if isinstance(objectives, list) else []


def _publish(publish: dict[str, Any] | None) -> str:
    if publish is None:
        return "none yet"
    return f"number {publish['id']}, {publish['seconds_ago']:,.0f} s ago, gate {publish['gate_result']}"


def _outbound(outbound: dict[str, Any] | None) -> str:
    if outbound is None:
        return "nothing yet"
    filling = ", first filling under way" if outbound["filling"] else ""
    waiting, refused = outbound["crm_waiting"], outbound["crm_refused"]
    crm = f"; CRM: {waiting:,} accounts wait, {refused:,} refused" if waiting or refused else ""
    return f"{outbound['records']:,} changes told, {outbound['seconds_behind']:,.1f} s behind{filling}{crm}"


def _webhooks(webhooks: dict[str, Any] | None) -> str:
    if not webhooks or not webhooks["subscriptions"]:
        return "no subscriptions"
    return f"{webhooks['subscriptions']} subscriptions, {webhooks['waiting']:,} messages wait, {webhooks['dead']:,} given up"


def _letters(letters: dict[str, Any] | None) -> str:
    if letters is None:
        return "-"
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in letters["by_reason"].items())
    return f"{letters['open']:,} open" + (f": {reasons}" if reasons else "")


def _alerts(alerts: dict[str, Any] | None) -> str:
    if alerts is None:
        return "-"
    outbox, letters = alerts["unprocessed"], alerts["undelivered"]
    return f"{alerts['open_incidents']} incidents open, {outbox} in the outbox, {letters} letters waiting"
