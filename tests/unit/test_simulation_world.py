"""The simulated enrichment product: same seed, same actions; every action fits its ticket's history."""

import csv
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sample.generate import HERE, SEED, TICKETS, rows
from connectors.simulation import pace
from connectors.simulation.actions import Action, Delete, Kind, Version, Write
from connectors.simulation.world import World

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def actions(seed: int, count: int) -> list[Action]:
    world = World(Random(seed), run="r")
    return [world.next(NOW + timedelta(seconds=number)) for number in range(count)]


@given(st.integers(), st.integers(0, 300))
def test_the_seed_decides(seed: int, count: int) -> None:
    """Two worlds with the same seed, run and times choose the same actions."""
    assert actions(seed, count) == actions(seed, count)


@settings(max_examples=30)
@given(st.integers())
def test_every_action_fits_the_history(seed: int) -> None:
    """Whatever the seed, each action is possible for its ticket at that moment and does what its kind says."""
    said: dict[tuple[str, str], dict[int, Version]] = {}
    erased: set[tuple[str, str]] = set()
    for action in actions(seed, 1000):
        if isinstance(action, Delete):
            assert action.identity in said
            erased.add(action.identity)
            del said[action.identity]
        elif isinstance(action, Write):
            _check(action.kind, action.version, said, erased)


def _check(kind: Kind, version: Version, said: dict[tuple[str, str], dict[int, Version]], erased: set[tuple[str, str]]) -> None:
    known = said.get(version.identity, {})
    newest = max(known, default=0)
    match kind:
        case Kind.NEW:
            assert version.version == 1 and not known and version.identity not in erased
        case Kind.RE_CREATION:
            assert version.version == 1 and not known and version.identity in erased
        case Kind.RE_ENRICHMENT:
            assert version.version == newest + 1
        case Kind.DUPLICATE:
            assert version == known[newest]
        case Kind.LATE:
            assert version == known[version.version] and version.version == newest - 1
        case Kind.CONFLICT:
            assert version.version == newest and version != known[newest]
        case _:
            assert kind is Kind.BROKEN and version.version == newest + 1
    if kind in (Kind.NEW, Kind.RE_CREATION, Kind.RE_ENRICHMENT):
        said.setdefault(version.identity, {})[version.version] = version


def test_every_kind_happens() -> None:
    """A few thousand actions hold every kind."""
    assert set(Counter(action.kind for action in actions(7, 5000))) == set(Kind)


@given(st.floats(0.1, 5000), st.floats(0.1, 60), st.lists(st.floats(0, 100), max_size=50))
def test_the_schedule_never_runs_ahead_nor_past_its_end(rate: float, duration: float, moments: list[float]) -> None:
    """At any time at most rate x elapsed actions are done, and never more than rate x duration."""
    done = 0
    for elapsed in sorted(moments):
        done += pace.due(elapsed, rate, duration, done)
        assert done <= rate * min(elapsed, duration) + 1
    assert done <= rate * duration + 1


@pytest.mark.parametrize("rate", [0.5, 20, 333.3, 2000])
def test_late_ticks_are_made_up_for(rate: float) -> None:
    """However unevenly the ticks fall, the run ends with rate x duration actions."""
    done = 0
    for elapsed in (0.05, 0.06, 0.7, 0.75, 0.9, 1.5, 2.0, 2.05):
        done += pace.due(elapsed, rate, 2.0, done)
    assert done == int(rate * 2)


@given(st.floats(0, 1000))
def test_ticks_are_multiples_of_the_start(elapsed: float) -> None:
    """The wait to the next tick is positive and never longer than a tick."""
    assert 0 < pace.next_tick(elapsed) <= pace.TICK_SECONDS


def test_the_sample_is_what_the_generator_writes() -> None:
    """The shipped tickets.csv is what the generator makes from its seed, oldest first, with versions in order."""
    with (HERE / "tickets.csv").open(encoding="utf-8", newline="") as file:
        shipped = list(csv.DictReader(file))
    assert shipped == list(rows(Random(SEED), TICKETS))
    by_ticket: dict[str, list[int]] = {}
    for row in shipped:
        by_ticket.setdefault(row["ticket"], []).append(int(row["version"]))
    assert all(a <= b for ticket, versions in by_ticket.items() if ticket for a, b in pairwise(versions))
