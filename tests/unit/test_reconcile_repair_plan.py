"""What a repair takes out of landing: only what is wrong and in the way."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ops.reconcile.repair_plan import Case, LandedVersion, plan, removals

TICKET, OTHER = ("zendesk", "T-1"), ("zendesk", "T-2")
POSITION = 1000


def version(number: int, altered: bool = False, identity: tuple[str, ...] = TICKET, position: int = 10) -> LandedVersion:
    """A version as it landed, or with other content under its old hash."""
    content_hash = f"hash {number}".encode()
    return LandedVersion(identity, f"k{number}", number, content_hash, b"altered" if altered else content_hash, (position,))


def case(latest: LandedVersion | None, *versions: LandedVersion, ended: int | None = None) -> Case:
    """The store holds version 3 under key k3."""
    return Case(TICKET, "k3", 3, latest, versions, ended, POSITION)


def test_an_altered_latest_row_is_rebuilt_from_the_history() -> None:
    """The history is right: nothing of it goes, and the newest version takes the latest row's place."""
    decided = plan(case(version(3, altered=True), version(2), version(3)))
    assert (decided.remove_versions, decided.removes_latest, decided.rebuild_from) == ((), True, version(3))


def test_an_altered_version_that_holds_the_stores_key_goes() -> None:
    """Otherwise the store's row would come back as a conflict."""
    decided = plan(case(version(3, altered=True), version(2), version(3, altered=True)))
    assert (decided.remove_versions, decided.rebuild_from) == ((version(3, altered=True),), version(2))


def test_an_altered_version_that_outranks_the_store_goes() -> None:
    """Somebody raised a version by hand: it would stay the latest for ever."""
    raised = replace(version(2, altered=True), version=9)
    assert plan(case(raised, raised, version(3))).remove_versions == (raised,)


def test_an_older_altered_version_stays() -> None:
    """The store cannot give it back, and it keeps nothing out."""
    decided = plan(case(version(3), version(1, altered=True), version(3)))
    assert not decided.changes_landing


def test_a_missing_row_needs_no_removal() -> None:
    """Nothing landed: the read alone mends it."""
    assert not plan(case(None)).changes_landing


def test_a_version_that_was_moved_to_another_ticket_goes() -> None:
    """It holds the store's key under a false name."""
    moved = version(3, altered=True, identity=OTHER)
    assert plan(case(None, moved)).remove_versions == (moved,)


def test_a_position_the_store_has_not_reached_is_a_lie() -> None:
    """Positions grow with the store's log: nothing can have come from beyond its end."""
    future = version(4, position=POSITION + 1)
    assert plan(case(future, version(3), future)).remove_versions == (future,)


def test_a_tombstone_beyond_the_stores_end_goes() -> None:
    """It would end every life to come; one at or before the store's position stays."""
    assert plan(case(None, ended=POSITION + 1)).removes_tombstone
    assert not plan(case(None, ended=POSITION)).removes_tombstone


@given(st.sets(st.integers(1, 8)), st.sets(st.integers(1, 8)))
def test_history_that_is_not_wrong_is_never_lost(numbers: set[int], altered: set[int]) -> None:
    """Every version that is as it landed stays, and the newest of these is the latest row afterwards."""
    versions = [version(number, number in altered) for number in sorted(numbers)]
    latest = max(versions, key=lambda one: one.version, default=None)
    decided = plan(case(latest, *versions))
    assert all(one.is_altered(POSITION) for one in decided.remove_versions)
    kept = [one for one in versions if one not in decided.remove_versions]
    newest = max(kept, key=lambda one: one.version, default=None)
    assert (decided.rebuild_from if decided.removes_latest else latest) == newest


@given(st.lists(st.tuples(st.just("zendesk"), st.text(max_size=3)), unique=True), st.integers(0, 20))
def test_too_many_extra_rows_are_all_left_alone(extra: list[tuple[str, ...]], most: int) -> None:
    """A repair removes all extra rows, or, when there are more than allowed, none."""
    decided = removals(extra, most)
    assert (decided.allowed, decided.refused) == ((extra, []) if len(extra) <= most else ([], extra))
