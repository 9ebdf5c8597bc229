"""The promise of a few seconds: a row of the store is in the marts within 10 s at p95, with default settings."""

from ops.settings import load
from tests.latency import measure
from tests.stack_fixture import RunningStack


def test_a_row_reaches_the_marts_within_ten_seconds(stack: RunningStack) -> None:
    """At 20 events a second, misbehaviour included, 95 of 100 versions are in the marts within 10 s of their commit."""
    measured = measure(load(stack.environment), stack.environment, rate=20, seconds=30)

    print(measured)  # noqa: T201 - shown when it fails, and by pytest -s
    assert len(measured.total) >= 300
    assert measured.p95 < 10, str(measured)
