"""The demo tells what it did in calm lines."""

from collections import Counter

from connectors.simulation.run import Tally
from ops.cli.demo import import_lines, traffic_line

REPORT = {"read": 3654, "written": 3544, "unchanged": 101, "older": 0, "rejected": 9, "rejects_file": "demo.rejects.csv"}


def test_rejected_rows_of_the_sample_are_one_line_that_names_their_file() -> None:
    """Nine unreadable rows are told in one line, with the file that holds them."""
    lines = import_lines(REPORT)
    assert len(lines) == 2
    assert "9 rows" in lines[1]
    assert "demo.rejects.csv" in lines[1]


def test_an_import_without_rejects_is_one_line() -> None:
    """When every row was read, rejects are not mentioned."""
    assert len(import_lines({**REPORT, "rejected": 0, "rejects_file": None})) == 1


def test_traffic_is_told_by_kind_the_most_frequent_first() -> None:
    """The line has the total and every kind with its count."""
    assert traffic_line(Tally(Counter(delete=1, re_enrichment=3))) == "4 events: 3 re-enrichment, 1 delete"
