"""Dead letters and what was done to them, read from the warehouse."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row

from ops.dead_letters.selection import Selection

COLUMNS = """
    dead_letter_id, table_name, reason, detail, remedy, source_system, ticket_id, idempotency_key, version, source_positions,
    topic, kafka_partition, kafka_offset, last_offset, times_seen, first_seen_at, last_seen_at, status, status_reason, status_at
"""


@dataclass(frozen=True)
class Letter:
    """One row of landing.dead_letters; key and payload only where they were asked for."""

    dead_letter_id: int
    table_name: str
    reason: str
    detail: str
    remedy: str
    source_system: str | None
    ticket_id: str | None
    idempotency_key: str | None
    version: int | None
    source_positions: list[int] | None
    topic: str
    kafka_partition: int
    kafka_offset: int
    last_offset: int
    times_seen: int
    first_seen_at: datetime
    last_seen_at: datetime
    status: str
    status_reason: str | None
    status_at: datetime | None
    record_key: bytes | None = None
    payload: bytes | None = None


def counts(connection: psycopg.Connection[Any], selection: Selection) -> dict[str, int]:
    """Letters per reason, the most frequent first."""
    condition, parameters = selection.condition()
    text = f"select reason, count(*) from landing.dead_letters where {condition} group by reason order by 2 desc, 1"
    return dict(connection.execute(text.encode(), parameters).fetchall())


def newest(connection: psycopg.Connection[Any], selection: Selection, most: int) -> list[Letter]:
    """Letters without their payloads, the newest first."""
    condition, parameters = selection.condition()
    text = f"""
        select {COLUMNS} from landing.dead_letters where {condition}
        order by last_seen_at desc, dead_letter_id desc limit %(most)s
    """
    with connection.cursor(row_factory=class_row(Letter)) as cursor:
        return cursor.execute(text.encode(), {**parameters, "most": most}).fetchall()


def sizes(connection: psycopg.Connection[Any], selection: Selection) -> list[tuple[int, int]]:
    """The selected letters' ids, in the order they came, each with the bytes of its payload."""
    condition, parameters = selection.condition()
    text = f"""
        select dead_letter_id, coalesce(octet_length(payload), 0) from landing.dead_letters
        where {condition} order by dead_letter_id
    """
    return connection.execute(text.encode(), parameters).fetchall()


def whole(connection: psycopg.Connection[Any], numbers: Sequence[int]) -> list[Letter]:
    """These letters with key and payload, in the order they came."""
    text = f"""
        select {COLUMNS}, record_key, payload from landing.dead_letters
        where dead_letter_id = any(%s) order by dead_letter_id
    """
    with connection.cursor(row_factory=class_row(Letter)) as cursor:
        return cursor.execute(text.encode(), [list(numbers)]).fetchall()


def trail(connection: psycopg.Connection[Any], number: int) -> list[dict[str, Any]]:
    """Everything that was ever done to a letter, oldest first; it outlives the letter."""
    text = """
        select action_id, action, at, by, why, edits, outcome, detail from ops.dead_letter_actions
        where dead_letter_id = %s order by action_id
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(text, [number]).fetchall()
