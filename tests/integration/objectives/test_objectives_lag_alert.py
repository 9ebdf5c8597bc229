"""F12's alert: `stream:lag` fires while the stream is too far behind, and ends when it has caught up."""

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.objectives import file, lag_alert, measure
from ops.objectives.measure import Measured
from ops.objectives.samples import Sample
from tests.integration.objectives.test_objectives_sampler import EVERY, NOW, rows, sampler

TOLD = "select state, summary from ops.alert_outbox where fingerprint = 'stream:lag' order by alert_id"
LAGS = replace(file.read(), objectives=tuple(one for one in file.read().objectives if one.name == "consumer_lag"))


@given(st.lists(st.sampled_from([None, 0.0, 29.0, 31.0, 900.0])), st.booleans())
def test_firing_and_ok_take_turns(values: list[float | None], was_firing: bool) -> None:
    """Whatever the lag does: what is told is a change every time, and the last one tells how it stands."""
    samples = [Sample("consumer_lag", NOW, value, value is None or value > 30) for value in values]

    told = [was_firing, *(one.is_bad for one in lag_alert.changes(samples, was_firing))]

    assert all(before != after for before, after in itertools.pairwise(told))
    known = [was_firing, *(value > 30 for value in values if value is not None)]
    assert told[-1] == known[-1]


def test_lag_of_an_outage_is_told_when_the_warehouse_is_back(warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the warehouse is away nothing can be told; then the alert that began meanwhile is, with its time, and its end."""
    working, away = sampler(warehouse_url, LAGS), "postgresql://cx:x@127.0.0.1:1/warehouse"
    sources = working._sources

    def sample(number: int, seconds: float, url: str) -> None:
        monkeypatch.setattr(measure, "look", lambda *_: Measured({"consumer_lag": seconds}))
        working._sources = replace(sources, warehouse_url=url)
        working.sample(NOW + number * EVERY)

    sample(0, 0.2, warehouse_url)
    sample(1, 40.0, away)
    sample(2, 55.0, away)
    assert rows(warehouse_url, TOLD) == []
    sample(3, 70.0, warehouse_url)
    assert [state for state, _ in rows(warehouse_url, TOLD)] == ["firing"]
    sample(4, 0.3, warehouse_url)

    assert rows(warehouse_url, TOLD) == [
        ("firing", "The stream is 40 s behind the store, more than 30 s: the marts do not show the newest changes."),
        ("ok", "The stream has caught up."),
    ]
    since = rows(warehouse_url, "select (details ->> 'since')::timestamptz from ops.alert_outbox where state = 'firing'")
    assert since == [(NOW + timedelta(seconds=15),)]
