"""Replay and discard over a whole selection, in portions; the composition root of this folder."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import psycopg
from sqlalchemy import Connection, create_engine, pool

from ops.dead_letters import audit, reading
from ops.dead_letters.audit import Done, Who
from ops.dead_letters.edits import Assignment
from ops.dead_letters.reading import Letter
from ops.dead_letters.replay import ERASED, GONE, replay
from ops.dead_letters.selection import Selection
from ops.migrate import sqlalchemy_url
from stream.core.batch import Batch
from stream.edges.warehouse import landing
from stream.edges.warehouse.errors import translated
from stream.worker import read_policy

MOST_LETTERS, MOST_BYTES = 200, 32_000_000  # at once in memory and in one transaction

Told = Callable[[Sequence[Done], int, int], None]  # a portion's results, letters done, letters in all


class Desk:
    """The warehouse as `replay` needs it. `close` it."""

    def __init__(self, url: str) -> None:
        self.policy = read_policy()
        self._stream = landing.Warehouse(url, self.policy)
        self._engine = create_engine(sqlalchemy_url(url), poolclass=pool.NullPool)

    def land(self, batch: Batch, beside: landing.Beside) -> landing.Landed:
        return self._stream.land(batch, beside)

    def transact(self, work: Callable[[Connection], None]) -> None:
        with translated(), self._engine.begin() as connection:
            work(connection)

    def close(self) -> None:
        self._stream.close()


def replay_all(url: str, selection: Selection, assignments: Sequence[Assignment], who: Who, told: Told) -> list[Done]:
    """Replay every selected letter. Raises the stream's errors, with what was replayed so far durable and told."""
    desk = Desk(url)
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            return _each(connection, selection, lambda letters: replay(letters, assignments, who, desk, desk.policy), told)
    finally:
        desk.close()


def discard_all(url: str, selection: Selection, who: Who, told: Told) -> list[Done]:
    """Close every selected letter without effect; an erased one stays erased."""
    desk = Desk(url)

    def discard(letters: Sequence[Letter]) -> list[Done]:
        done = [_discarded(letter) for letter in letters]
        desk.transact(lambda connection: audit.write(connection, "discard", who, [one for one in done if one.status]))
        return done

    try:
        with psycopg.connect(url, autocommit=True) as connection:
            return _each(connection, selection, discard, told)
    finally:
        desk.close()


def _discarded(letter: Letter) -> Done:
    if letter.status == ERASED:
        return Done(letter.dead_letter_id, letter.reason, ERASED, GONE)
    return Done(letter.dead_letter_id, letter.reason, "discarded", status="discarded")


def _each(
    connection: psycopg.Connection[Any], selection: Selection, act: Callable[[Sequence[Letter]], list[Done]], told: Told
) -> list[Done]:
    sizes = reading.sizes(connection, selection)
    done: list[Done] = []
    for numbers in portions(sizes):
        results = act(reading.whole(connection, numbers))
        done += results
        told(results, len(done), len(sizes))
    return done


def portions(sizes: Iterable[tuple[int, int]]) -> Iterator[list[int]]:
    """Ids in portions that fit into memory: at most MOST_LETTERS, and MOST_BYTES unless one alone is larger."""
    portion, total = list[int](), 0
    for number, size in sizes:
        if portion and (len(portion) == MOST_LETTERS or total + size > MOST_BYTES):
            yield portion
            portion, total = [], 0
        portion.append(number)
        total += size
    if portion:
        yield portion
