"""Dead letters as a person reads them, and as a program does. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import msgspec

from ops.dead_letters.reading import Letter
from ops.dead_letters.visible import visible, visible_bytes

LONGEST_PAYLOAD = 20_000  # characters shown; `show --raw` has the rest


def table(letters: Sequence[Letter], counts: Mapping[str, int]) -> list[str]:
    """One line per letter, then the counts of all that were selected."""
    if not counts:
        return ["no dead letters"]
    rows = [("id", "status", "reason", "ticket", "seen", "last seen", "detail"), *map(_row, letters)]
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    lines = ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[6]]).rstrip() for row in rows]
    total = sum(counts.values())
    more = f", the newest {len(letters)} shown" if total > len(letters) else ""
    by_reason = ", ".join(f"{reason} {number:,}" for reason, number in counts.items())
    return [*lines, "", f"{total:,} in all{more}: {by_reason}"]


def _row(letter: Letter) -> tuple[str, ...]:
    return (
        str(letter.dead_letter_id), letter.status, letter.reason, ticket_of(letter), f"{letter.times_seen:,}",
        _time(letter.last_seen_at), visible(letter.detail),
    )  # fmt: skip


def ticket_of(letter: Letter) -> str:
    """The ticket, or the table for what belongs to none."""
    if letter.source_system and letter.ticket_id:
        return visible(f"{letter.source_system}:{letter.ticket_id}")
    return f"({letter.table_name})"


def document(letters: Sequence[Letter], counts: Mapping[str, int]) -> dict[str, Any]:
    """The list for programs."""
    return {"total": sum(counts.values()), "by_reason": dict(counts), "letters": [plain(letter) for letter in letters]}


def plain(letter: Letter) -> dict[str, Any]:
    """A letter as JSON; key and payload as text, where they were read."""
    fields = {name: value for name, value in asdict(letter).items() if name not in {"record_key", "payload"}}
    texts = {"record_key": letter.record_key, "payload": letter.payload}
    return {**fields, **{name: visible_bytes(value) for name, value in texts.items() if value is not None}}


def page(letter: Letter, trail: Sequence[Mapping[str, Any]], today: str) -> list[str]:
    """Everything about one letter: why, where from, what to do, what was done, the record. `today`: what a replay would make."""
    origin = f"{letter.topic}, partition {letter.kafka_partition}, offset {letter.kafka_offset}"
    positions = ", ".join(map(str, letter.source_positions or [])) or "unknown"
    seen = f"{letter.times_seen:,} times, {_time(letter.first_seen_at)} to {_time(letter.last_seen_at)}"
    status = f"{letter.status}" + (f" {_time(letter.status_at)}: {letter.status_reason}" if letter.status_at else "")
    facts = {
        "dead letter": str(letter.dead_letter_id), "status": visible(status), "reason": letter.reason,
        "detail": visible(letter.detail), "what to do": letter.remedy, "replayed now": visible(today),
        "ticket": ticket_of(letter), "version": str(letter.version or "-"), "key": visible(letter.idempotency_key or "-"),
        "came from": origin, "source position": positions, "seen": seen,
    }  # fmt: skip
    lines = [f"{name:<16} {text}" for name, text in facts.items()]
    return [*lines, "", *_trail(trail), "record key", *_pretty(letter.record_key), "", "record", *_pretty(letter.payload)]


def _trail(trail: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = []
    for entry in trail:
        why = f" ({visible(entry['why'])})" if entry["why"] else ""
        detail = f", {visible(entry['detail'])}" if entry["detail"] else ""
        lines.append(f"  {_time(entry['at'])} {entry['action']} by {visible(entry['by'])}{why}: {entry['outcome']}{detail}")
        lines += [f"    {edit['field']}: {_json(edit['old'])} -> {_json(edit['new'])}" for edit in entry["edits"]]
    return ["what was done", *lines, ""] if lines else []


def _pretty(data: bytes | None) -> list[str]:
    """JSON indented, anything else as it is; never a character that a terminal would obey."""
    if data is None:
        return ["  (none)"]
    try:
        text = msgspec.json.format(data, indent=2).decode()
    except (msgspec.MsgspecError, ValueError, RecursionError):
        text = data.decode("utf-8", "backslashreplace")
    cut = f"\n... {len(text) - LONGEST_PAYLOAD:,} more characters: --raw" if len(text) > LONGEST_PAYLOAD else ""
    return [f"  {line}" for line in visible(text[:LONGEST_PAYLOAD] + cut, keep="\n").splitlines()]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "-"
