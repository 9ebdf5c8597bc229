"""What a repair takes out of landing: only what is wrong and in the way."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ops.reconcile.repair_plan import Case, LandedVersion, Plan, plan, removals

TICKET, OTHER = ("zendesk", "T-1"), ("zendesk", "T-2")
POSITION = 1000


def version(number: int, altered: bool = False, identity: tuple[str, ...] = TICKET, position: int = 10) -> LandedVersion:
    """A version as it landed, or with other content under its old hash."""
    content_hash = f"hash {number}".encode()
    return LandedVersion(identity, f"k{number}", number, content_hash, b"altered" if altered else content_hash, (position,))


def case(*versions: LandedVersion, ended: int | None = None) -> Case:
    """The store holds version 3 under key k3."""
    return Case(TICKET, "k3", 3, versions, ended, POSITION)


def test_an_altered_version_that_holds_the_stores_key_goes() -> None:
    """Otherwise the store's row would come back as a conflict."""
    assert plan(case(version(2), version(3, altered=True))).remove_versions == (version(3, altered=True),)


def test_an_altered_version_that_outranks_the_store_goes() -> None:
    """Somebody raised a version by hand: it would stay the latest for ever."""
    raised = replace(version(2, altered=True), version=9)
    assert plan(case(raised, version(3))).remove_versions == (raised,)


def test_an_older_altered_version_stays() -> None:
    """The store cannot give it back, and it keeps nothing out."""
    assert plan(case(version(1, altered=True), version(3))) == Plan(TICKET)


def test_a_missing_row_needs_no_removal() -> None:
    """Nothing landed: the read alone mends it."""
    assert plan(case()) == Plan(TICKET)


def test_a_version_that_was_moved_to_another_ticket_goes() -> None:
    """It holds the store's key under a false name."""
    moved = version(3, altered=True, identity=OTHER)
    assert plan(case(moved)).remove_versions == (moved,)


def test_a_position_the_store_has_not_reached_is_a_lie() -> None:
    """Positions grow with the store's log: nothing can have come from beyond its end."""
    future = version(4, position=POSITION + 1)
    assert plan(case(version(3), future)).remove_versions == (future,)


def test_a_tombstone_beyond_the_stores_end_goes() -> None:
    """It would end every life to come; one at or before the store's position stays."""
    assert plan(case(ended=POSITION + 1)).removes_tombstone
    assert not plan(case(ended=POSITION)).removes_tombstone


@given(st.sets(st.integers(1, 8)), st.sets(st.integers(1, 8)))
def test_history_that_is_not_wrong_is_never_lost(numbers: set[int], altered: set[int]) -> None:
    """Every version that is as it landed stays, and none that was altered outranks the store's."""
    versions = [version(number, number in altered) for number in sorted(numbers)]
    removed = plan(case(*versions)).remove_versions
    assert all(one.is_altered(POSITION) for one in removed)
    assert {one.version for one in versions if one.is_altered(POSITION) and one.version >= 3} <= {one.version for one in removed}


@given(st.lists(st.tuples(st.just("zendesk"), st.text(max_size=3)), unique=True), st.integers(0, 20))
def test_too_many_extra_rows_are_all_left_alone(extra: list[tuple[str, ...]], most: int) -> None:
    """A repair removes all extra rows, or, when there are more than allowed, none."""
    decided = removals(extra, most)
    assert (decided.allowed, decided.refused) == ((extra, []) if len(extra) <= most else ([], extra))
