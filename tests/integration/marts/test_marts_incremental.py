"""F24: whatever happens in whatever order, the incremental marts equal those of a full refresh, row by row."""

import os
import random

import psycopg
import pytest
from psycopg import sql

from tests.integration.marts.history import History
from tests.integration.marts.warehouse import MARTS, Warehouse

SEEDS = range(int(os.environ.get("CX_TEST_SEEDS", "1")))
CYCLES = 9
INTERMEDIATE = ("int_tag_mapping", "int_touched_keys", "int_changed_ticket_versions")


@pytest.mark.parametrize("seed", SEEDS)
def test_incremental_marts_equal_a_full_refresh(warehouse: Warehouse, seed: int) -> None:
    """Late, corrected, moved, deleted, re-created, held and returned tickets leave no trace that a full refresh would not."""
    chance = random.Random(seed)
    with psycopg.connect(warehouse.url) as second, psycopg.connect(warehouse.url, autocommit=True) as first:
        history, slow_writer = History(first, seed), History(second, seed + 1000)
        slow_writer.keys = iter(range(1_000_000, 2_000_000))
        for cycle in range(CYCLES):
            for _ in range(chance.randrange(1, 12)):
                history.step()
            run_cycle(warehouse, chance, cycle)
            land_slowly(slow_writer, second, warehouse, chance)
    warehouse.build("--selector", "cycle")
    publish(warehouse)
    warehouse.build("--selector", "cycle")
    assert_equals_full_refresh(warehouse)


def run_cycle(warehouse: Warehouse, chance: random.Random, cycle: int) -> None:
    """One cycle of the publisher: it may crash at a model, be held by the gate, or follow a full refresh of one model by hand."""
    if cycle == 0:
        return warehouse.build()
    if chance.random() < 0.3:
        crash_at(warehouse, chance.choice(MARTS))
    if chance.random() < 0.2:
        warehouse.build("--full-refresh", "--select", chance.choice((*MARTS, *INTERMEDIATE)))
        warehouse.build()
    warehouse.build("--selector", "cycle")
    return publish(warehouse) if chance.random() < 0.7 else None


def publish(warehouse: Warehouse) -> None:
    """The keys that dbt says it touched are all the publisher compares: they must be enough to make marts equal to build."""
    warehouse.publish()
    assert warehouse.differences("marts") == {}


def crash_at(warehouse: Warehouse, mart: str) -> None:
    """A cycle in which one model cannot write; those before it have, those after it have not."""
    table = sql.Identifier("build", mart)
    warehouse.connection.execute(sql.SQL("alter table {} add constraint crash check (false) not valid").format(table))
    warehouse.dbt("run", "--selector", "cycle")
    warehouse.connection.execute(sql.SQL("alter table {} drop constraint crash").format(table))


def land_slowly(history: History, connection: psycopg.Connection, warehouse: Warehouse, chance: random.Random) -> None:
    """A transaction that writes before a cycle and commits after it: its rows are older than rows the cycle has read."""
    history.land(history.version(("slow", f"S{chance.randrange(3)}"), next(history.keys)))
    warehouse.build("--selector", "cycle")
    connection.commit()


def assert_equals_full_refresh(warehouse: Warehouse) -> None:
    warehouse.remember("incremental")
    warehouse.build("--full-refresh")
    assert warehouse.differences("incremental") == {}
    assert warehouse.rows("select 1 from build.fct_ticket_signals limit 1"), "the comparison must not be of empty tables"
