"""A warehouse with dead letters that the stream's own edge wrote, and the command on it."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import psycopg
import pytest
from click.testing import CliRunner

from ops.cli import cx
from stream.core.batch import divide
from stream.core.decode import decode
from stream.core.records import RawRecord
from stream.edges.warehouse.landing import Landed, Warehouse
from stream.worker import read_policy


class Answer(NamedTuple):
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def outcomes(self) -> list[str]:
        """One outcome per letter of a replay or a discard."""
        return [line.split(": ", 1)[1].split(" (")[0] for line in self.out.splitlines()]


class Bench:
    """A fresh warehouse: `land` records as the worker does, `cx` the command, `query` the result."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.url = url
        self.edge = Warehouse(url, read_policy())
        self._offset = 0
        monkeypatch.setenv("CX_WAREHOUSE_URL", url)

    def land(self, *records: RawRecord) -> Landed:
        numbered = [one._replace(offset=self._offset + place) for place, one in enumerate(records)]
        self._offset += len(records)
        return self.edge.land(divide(decode(one, read_policy()) for one in numbered))

    def cx(self, *words: str) -> Answer:
        done = CliRunner().invoke(cx, ["dead-letters", *words], catch_exceptions=False)
        return Answer(done.exit_code, done.stdout, done.stderr)

    def json(self, *words: str) -> Any:
        return json.loads(self.cx(*words, "--json").out)

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def letters(self) -> list[tuple[int, str, str]]:
        return self.query("select dead_letter_id, reason, status from landing.dead_letters order by 1")

    def actions(self) -> list[tuple[str, ...]]:
        return self.query("select action, outcome from ops.dead_letter_actions order by action_id")


@pytest.fixture
def bench(warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """An empty warehouse."""
    bench = Bench(warehouse_url, monkeypatch)
    yield bench
    bench.edge.close()
