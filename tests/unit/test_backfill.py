"""Signals, filters and the counting of reads: the parts of a backfill that need nobody."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.backfill import signals
from ops.backfill.connector import in_offsets
from ops.backfill.progress import Progress, is_over, is_read


def test_a_signal_names_the_table_and_the_filter() -> None:
    """As Debezium reads it: data-collections, and the condition beside its own."""
    kind, data = signals.execute_snapshot("enrichment.accounts", "plan = 'pro' or plan is null")
    assert kind == "execute-snapshot"
    assert json.loads(data) == {
        "type": "INCREMENTAL",
        "data-collections": ["enrichment.accounts"],
        "additional-conditions": [{"data-collection": "enrichment.accounts", "filter": "(plan = 'pro' or plan is null)"}],
    }


def test_a_signal_without_a_filter_takes_the_whole_table() -> None:
    """No condition at all, instead of one that is always true."""
    assert "additional-conditions" not in json.loads(signals.execute_snapshot("enrichment.accounts")[1])


@pytest.mark.parametrize(("value", "text"), [("a", "'a'"), ("it's", "'it''s'"), ("a\\b'", " E'a\\\\b'''")])
def test_texts_are_quoted_for_the_store(value: str, text: str) -> None:
    """Quotes are doubled; a backslash makes it an escape string."""
    assert signals.literal(value) == text


@given(st.integers(0, 1600))
def test_filters_hold_every_identity_once_in_portions(number: int) -> None:
    """At most 500 identities per signal, none forgotten, none twice."""
    identities = [("s", str(one)) for one in range(number)]
    filters = list(signals.identity_filters(("source_system", "ticket_id"), identities))
    counts = [one.count("('s', ") for one in filters]
    assert sum(counts) == number
    assert all(0 < count <= 500 for count in counts)


def test_reads_are_told_from_other_records() -> None:
    """An incremental read says so in its source; a text with the same words does not."""
    assert is_read(b'{"source":{"snapshot":"incremental","db":"store"},"op":"r"}')
    assert not is_read(json.dumps({"after": {"evidence_quote": '"snapshot":"incremental"'}}).encode())
    assert not is_read(None)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50)), unique=True),
    st.dictionaries(st.integers(0, 3), st.integers(0, 60)),
)
def test_a_read_has_landed_when_its_offset_was_consumed(reads: list[tuple[int, int]], consumed: dict[int, int]) -> None:
    """Landed reads are those below the consumed offset of their partition; read are all."""
    progress = Progress(expected=len(reads))
    for partition, offset in sorted(reads):
        progress.see(partition, [offset])
    progress.land(consumed)
    progress.land(consumed)
    assert progress.landed == sum(offset < consumed.get(partition, 0) for partition, offset in reads)
    assert progress.read == len(reads)


def test_a_backfill_is_over_when_all_landed_or_nothing_moves() -> None:
    """Fewer rows than expected end it only when Debezium is done, nothing waits, and 15 s have passed."""
    assert is_over(Progress(2, landed=2), is_running=True, quiet_seconds=0)
    assert is_over(Progress(2, landed=1), is_running=False, quiet_seconds=15)
    assert not is_over(Progress(2, landed=1), is_running=True, quiet_seconds=1000)
    assert not is_over(Progress(2, landed=1), is_running=False, quiet_seconds=14)
    waiting = Progress(2, landed=1)
    waiting.see(0, [7])
    assert not is_over(waiting, is_running=False, quiet_seconds=1000)


def test_running_snapshots_are_read_from_the_connectors_offsets() -> None:
    """Debezium keeps the tables still to be read in its stored offset."""
    collections = [{"incremental_snapshot_collections_id": "enrichment.accounts",
                    "incremental_snapshot_collections_additional_condition": "(a = 1)"}]  # fmt: skip
    offset = {"lsn": 1, "incremental_snapshot_collections": json.dumps(collections)}
    assert in_offsets({"offsets": [{"partition": {}, "offset": offset}]}) == [("enrichment.accounts", "(a = 1)")]
    assert in_offsets({"offsets": [{"partition": {}, "offset": {"lsn": 1}}]}) == []
    assert in_offsets({"offsets": []}) == []
