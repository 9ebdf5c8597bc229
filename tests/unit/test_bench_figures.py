"""The bench's arithmetic, without a stack."""

import itertools
import json
import os

from ops.bench import cost, events, plots, scale, schemas
from ops.bench.figures import Figure, figures, percentiles, shown, table
from ops.bench.run import SCENARIOS, Results
from ops.bench.sizes import FULL
from ops.cli.bench import NAMES
from stream.core.decode import decode
from stream.core.records import Change, RawRecord
from stream.worker import read_policy


def test_percentiles_of_a_hundred_milliseconds() -> None:
    """p50, p95 and p99 lie inside what was measured, in the unit asked for."""
    found = percentiles([number / 1000 for number in range(101)], "ms")
    assert {name: round(value) for name, value in found.items()} == {"p50 ms": 50, "p95 ms": 95, "p99 ms": 99}


def test_a_table_has_a_row_per_subject_and_a_column_per_name() -> None:
    """Figures of several subjects become one Markdown table, goals beside their numbers, gaps empty."""
    found = [*figures("x", "ours", {"events/s": 12345.6, "CPU": 0.5}, {"CPU": "< 1"}), Figure("x", "theirs", "events/s", 7)]
    assert table(found)[2:] == ["| ours | 12,346 | 0.5 (goal < 1) |", "| theirs | 7 |  |"]


def test_a_part_of_the_sizes_keeps_rates_and_workers() -> None:
    """`--part 0.2` measures a fifth of the events, tickets and seconds at the same rates."""
    fifth = FULL.times(0.2)
    assert (fifth.backlog_events, fifth.latency_seconds, fifth.growth_tickets[0]) == (100_000, 12, 20_000)
    assert (fifth.latency_rates, fifth.scale_workers) == (FULL.latency_rates, FULL.scale_workers)


def test_numbers_have_three_digits() -> None:
    """No number says more than was measured."""
    assert [shown(value) for value in (123456.7, 543.21, 1.23456, 0.00123456)] == ["123,457", "543", "1.23", "0.00123"]


def test_a_tenfold_rate_needs_more_of_everything_but_never_less_than_a_cluster() -> None:
    """Needs grow with the rate; below it stand 12 partitions and three brokers."""
    needs = scale.needs(worker_seconds=20.0, warehouse_seconds=25.0, wal_bytes=2_000)
    by_rate = [{one.name: one.value for one in needs if one.subject == f"{rate:,} events/s"} for rate in scale.RATES]
    assert set(by_rate[0].values()) == {1, 12, 2, 3}
    assert all(later[name] >= earlier[name] for earlier, later in itertools.pairwise(by_rate) for name in earlier)


def test_made_up_events_keep_the_contract() -> None:
    """The backlog is landed, not dead-lettered: each event is a change of about a kilobyte."""
    one = events.event(123_456, 50_000)
    decoded = decode(RawRecord(events.TOPIC, one.partition, 0, 0, one.key, one.value), read_policy())
    assert isinstance(decoded, Change)
    assert 900 < len(one.value) < 1_300


def test_the_sinks_schema_names_every_field_of_the_row() -> None:
    """The peer writes all columns that we write."""
    after = next(field for field in json.loads(schemas.envelope())["fields"] if field["field"] == "after")
    assert {field["field"] for field in after["fields"]} == set(events.row(0, 1))


def test_a_family_is_a_process_and_its_descendants() -> None:
    """Children and grandchildren count, strangers do not."""
    processes = {pid: cost.Process(parent, 1, 0) for pid, parent in ((1, 0), (2, 1), (3, 2), (4, 9))}
    assert cost.family(1, processes) == {1, 2, 3}


def test_this_process_has_used_some_cpu() -> None:
    """A meter reads the real process table."""
    assert cost.cpu_seconds({"own": os.getpid()})["own"] > 0
    assert cost.resident_megabytes(os.getpid()) > 1


def test_every_scenario_can_be_named() -> None:
    """The command offers exactly the scenarios that exist."""
    assert tuple(SCENARIOS) == NAMES


def test_a_skipped_scenario_is_named_with_its_reason() -> None:
    """Whoever reads the table sees what was not measured and why."""
    results = Results({"at": "now", "machine": "2 cores", "how": "by hand"}, skipped={"landing": "Maven cannot be reached"})
    assert "Skipped: Maven cannot be reached" in results.markdown()


def test_pictures_are_drawn_of_what_was_measured() -> None:
    """Each picture is an SVG; a scenario that was not measured has none."""
    found = [
        Figure("latency", "10/s, landing", name, value) for name, value in (("p50 ms", 20.0), ("p95 ms", 40.0), ("p99 ms", 90.0))
    ]
    drawn = plots.draw(found)
    assert list(drawn) == ["latency.svg"]
    assert drawn["latency.svg"].startswith("<svg")
