"""Whether the capture may go on where it stopped: the stored offset against the slot."""

from typing import Any

import pytest

from connectors.resume import is_of_connector, skipped_bytes


@pytest.mark.parametrize(
    ("offset", "confirmed", "skipped"),
    [
        ({"lsn": 100, "lsn_commit": 100, "lsn_proc": 100}, 100, 0),
        ({"lsn": 100, "lsn_commit": 100, "lsn_proc": 100}, 90, 0),
        ({"lsn": 100, "lsn_commit": 100, "lsn_proc": 100}, 101, 1),
        ({"lsn": 120, "lsn_commit": 100}, 110, 0),
        ({"lsn": 120, "lsn_commit": None, "snapshot": "INITIAL"}, 121, 1),
        (None, 500, 0),
        ({}, 500, 0),
    ],
    ids=["equal", "slot behind", "slot ahead", "inside a transaction", "after a snapshot", "no offset", "nothing in it"],
)
def test_a_gap_is_what_the_slot_has_passed_and_the_offset_has_not(
    offset: dict[str, Any] | None, confirmed: int, skipped: int
) -> None:
    """Only a slot beyond every position of the stored offset has skipped changes."""
    assert skipped_bytes(offset, confirmed) == skipped


@pytest.mark.parametrize(
    ("key", "is_ours"),
    [(b'["enrichment",{"server":"cx"}]', True), (b'["other",{"server":"cx"}]', False), (b"{", False), (None, False)],
)
def test_offsets_of_other_connectors_are_passed_over(key: bytes | None, is_ours: bool) -> None:
    """Connect keeps the offsets of all its connectors in one topic; the key names whose they are."""
    assert is_of_connector(key) is is_ours
