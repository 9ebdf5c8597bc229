"""The pipeline over fakes: what it retries, what it isolates, when it stops, what it acknowledges."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from stream.core.accounting import Consumed, Partition, count
from stream.core.alerts import Alert
from stream.core.backoff import MOST_SECONDS, backoff_seconds
from stream.core.batch import Batch
from stream.core.breaker import THRESHOLD, WINDOW, Breaker
from stream.core.letters import Letter, rejection_letter
from stream.core.outcomes import Outcome
from stream.core.records import Difference
from stream.errors import BreakerOpen, DriftStop, Misconfigured, RefusedRecord, Unavailable
from stream.failpoints import FAILPOINTS, UnknownFailpointError, failing
from stream.letterbox import Letterbox
from stream.pipeline import Pipeline, ticket_rejections
from stream.watchdog import Watchdog
from stream.worker import read_policy
from tests.unit.stream.events import RawRecord, changed, deleted, record, signal


@dataclass
class Done:
    """What one transaction did."""

    outcomes: dict[int, Outcome]
    new_letters: list[Letter]
    consumed: dict[Partition, Consumed] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass
class ScriptedWarehouse:
    """Lands everything, unless the script has an error for the attempt or the batch holds a poisonous ticket."""

    script: list[Exception | None] = field(default_factory=list)
    poison: str = ""
    open: bool = False
    known_offsets: dict[Partition, int] = field(default_factory=dict)
    landed: list[list[int]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    drifts: set[Difference] = field(default_factory=set)

    def land(self, batch: Batch) -> Done:
        error = self.script.pop(0) if self.script else None
        if error is not None:
            raise error
        if any(one.identity == ("zendesk", self.poison) for _, one in batch.tickets):
            raise RefusedRecord("no")
        self.landed.append([one.offset for one in batch.records])
        self.refused += [one.reason.value for _, one in batch.rejections]
        letters = [rejection_letter(one, True) for _, one in batch.rejections]
        rejected = {place for place, _ in batch.rejections}
        return Done({n: Outcome.REJECTED if n in rejected else Outcome.APPLIED for n in range(len(batch.records))}, letters)

    def next_offsets(self, batch: Batch) -> dict[Partition, int]:
        return self.known_offsets

    def raise_drifts(self, differences: Collection[Difference]) -> None:
        self.drifts.update(differences)

    def breaker_is_open(self) -> bool:
        return self.open

    def open_breaker(self, alert: Alert) -> None:
        self.open = True
        self.alerts.append(alert)

    def close_breaker(self, alert: Alert) -> None:
        self.open = False
        self.alerts.append(alert)


class Silent:
    """An observer that only counts retries."""

    retries = 0

    def landed(
        self, batch: Batch, outcomes: Mapping[int, Outcome], consumed: Mapping[Partition, Consumed], seconds: Mapping[str, float]
    ) -> None: ...

    def took(self, stage: str, seconds: float) -> None: ...

    def retried(self) -> None:
        self.retries += 1


@dataclass
class Box:
    """Letters to publish; the topic may fail first."""

    failures: int = 0
    published: int = 0

    async def publish_pending(self) -> None:
        if self.failures:
            self.failures -= 1
            raise Unavailable("no broker")
        self.published += 1


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow one another at once."""
    monkeypatch.setattr("stream.pipeline.backoff_seconds", lambda attempt, chance: 0.0)


def pipeline(
    warehouse: ScriptedWarehouse, box: Box | None = None, reached: Callable[[str], None] = lambda place: None, **options: Any
) -> Pipeline:
    return Pipeline(warehouse, Silent(), read_policy(), reached, letterbox=box or Box(), **options)


def land(one: Pipeline, records: Sequence[RawRecord]) -> None:
    asyncio.run(one.land(records))


def good(number: int, at: int = 0) -> list[RawRecord]:
    return [changed(signal(f"t{at + n}"), at + n + 1, at + n) for n in range(number)]


def bad(number: int, at: int = 0) -> list[RawRecord]:
    return [changed(signal(f"t{at + n}", sentiment="mixed"), at + n + 1, at + n) for n in range(number)]


def test_an_outage_is_waited_for() -> None:
    """While the warehouse is away the same batch is tried again; nothing is dead-lettered."""
    warehouse = ScriptedWarehouse(script=[Unavailable("away")] * 5)
    one = pipeline(warehouse)
    land(one, good(3))

    assert (warehouse.landed, warehouse.refused) == ([[0, 1, 2]], [])
    assert (one.batches, one.retrying) == (1, False)


def test_an_error_nobody_can_wait_for_leaves_the_pipeline() -> None:
    """A missing table, or an error nobody foresaw, ends `land`: the app stops and nothing is acknowledged."""
    for error in (Misconfigured("no table"), RuntimeError("a bug")):
        warehouse = ScriptedWarehouse(script=[error])
        with pytest.raises(type(error)):
            land(pipeline(warehouse), good(1))
        assert warehouse.landed == []


def test_one_refused_row_does_not_take_others_with_it() -> None:
    """A row the database refuses though it keeps the contract is found by halving; it alone is dead-lettered, in order."""
    warehouse = ScriptedWarehouse(poison="t5")
    land(pipeline(warehouse), good(9))

    assert list(range(9)) == [offset for batch in warehouse.landed for offset in batch]
    assert warehouse.refused == ["database_refused"]


def test_a_delete_the_database_refuses_stops_the_worker() -> None:
    """A delete has no value to refuse: that is a fault of the warehouse, not of the data."""
    with pytest.raises(Misconfigured):
        land(pipeline(ScriptedWarehouse(poison="t1")), [deleted("t1", 5)])


def test_letters_are_published_before_the_batch_counts_as_landed() -> None:
    """New letters go to the topic, however often it refuses, before `land` returns."""
    warehouse, box = ScriptedWarehouse(), Box(failures=3)
    order: list[str] = []
    one = pipeline(warehouse, box, order.append)
    land(one, [*good(5), *bad(1, 5)])

    assert (box.failures, box.published) == (0, 1)
    assert order == ["after_warehouse_commit", "before_offset_commit"]


def test_letters_of_a_killed_predecessor_are_published() -> None:
    """The first batch of a worker publishes what an earlier one left; later ones only when there is something new."""
    box = Box()
    one = pipeline(ScriptedWarehouse(), box)
    land(one, good(1))
    land(one, good(1, 1))

    assert box.published == 1


def test_a_flood_stops_before_it_is_landed() -> None:
    """When 25 of the last 30 ticket records are rejected nothing of the batch is landed, and one alert is raised."""
    warehouse = ScriptedWarehouse()
    with pytest.raises(BreakerOpen):
        land(pipeline(warehouse), bad(25))

    assert (warehouse.landed, [alert.fingerprint for alert in warehouse.alerts]) == ([], ["stream:breaker"])


def test_a_flood_in_small_batches_stops_too() -> None:
    """The window reaches over batches: the 25th rejected record stops the worker, the 24 before are dead letters."""
    warehouse = ScriptedWarehouse()
    one = pipeline(warehouse)
    for number in range(THRESHOLD - 1):
        land(one, bad(1, number))
    with pytest.raises(BreakerOpen):
        land(one, bad(1, THRESHOLD))

    assert len(warehouse.landed) == THRESHOLD - 1


def test_a_restarted_worker_drains_nothing_while_the_flood_lasts() -> None:
    """An open breaker outlives the worker: the next one stops at the first rejected record."""
    warehouse = ScriptedWarehouse(open=True)
    with pytest.raises(BreakerOpen):
        land(pipeline(warehouse), bad(1))

    assert warehouse.landed == []


def test_good_records_close_the_breaker() -> None:
    """When the newest records are good again the breaker closes and says so."""
    warehouse = ScriptedWarehouse(open=True)
    land(pipeline(warehouse), good(WINDOW))

    assert (warehouse.open, [alert.state for alert in warehouse.alerts]) == (False, ["ok"])


def test_a_burst_in_good_traffic_is_no_flood() -> None:
    """Thirty poisonous rows in a row within a large good batch are dead-lettered, not a reason to stop."""
    warehouse = ScriptedWarehouse()
    land(pipeline(warehouse), [*good(200), *bad(30, 200)])

    assert len(warehouse.refused) == 30


def test_a_replay_of_old_rejections_is_no_flood() -> None:
    """Records that were read before do not count: a group reset to the earliest offset goes through."""
    warehouse = ScriptedWarehouse(known_offsets={(bad(1)[0].topic, 0): 100})
    land(pipeline(warehouse), bad(40))

    assert len(warehouse.refused) == 40


def test_a_flood_can_be_let_through() -> None:
    """On request the flood goes into the dead letters."""
    warehouse = ScriptedWarehouse()
    land(pipeline(warehouse, let_through=True), bad(40))

    assert len(warehouse.refused) == 40


def test_only_tickets_move_the_breaker() -> None:
    """Rejected rows of other tables and records without effect do not count."""
    other = [record(b"{", n, topic="cx.enrichment.accounts") for n in range(40)]
    warehouse = ScriptedWarehouse()
    land(pipeline(warehouse), [*other, record(None, 40)])

    assert len(warehouse.refused) == 40


def test_a_drift_for_which_the_policy_says_stop_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under `stop` the difference is alerted and nothing of the batch is landed."""
    policy = read_policy()
    stopping = {kind: type(action)("stop") if kind == "new_enum_value" else action for kind, action in policy.actions.items()}
    warehouse = ScriptedWarehouse()
    one = Pipeline(warehouse, Silent(), type(policy)(stopping, {}), lambda place: None, letterbox=Box())
    with pytest.raises(DriftStop):
        land(one, [*good(3), *bad(1, 3)])

    assert (warehouse.landed, len(warehouse.drifts)) == ([], 1)


def test_the_breaker_opens_at_its_threshold_exactly() -> None:
    """24 rejected of the last 30 are borne, 25 are not."""
    breaker = Breaker()
    breaker.landed([False] * 6 + [True] * (THRESHOLD - 1))

    assert breaker.trips([True])
    assert not Breaker().trips([True] * (THRESHOLD - 1))


def test_fresh_ticket_records_are_told_in_their_order() -> None:
    """The breaker hears of ticket records never read before, in the order of the batch."""
    from stream.core.batch import divide
    from stream.core.decode import decode

    batch = divide(decode(one, read_policy()) for one in [*bad(1), *good(1, 1), *bad(1, 2)])

    assert ticket_rejections(batch, {}) == [True, False, True]
    assert ticket_rejections(batch, {(bad(1)[0].topic, 0): 2}) == [True]


def test_backoff_doubles_up_to_a_limit() -> None:
    """Waiting doubles from 0.2 s, ends at 15 s, and jitter takes off at most half."""
    assert [backoff_seconds(attempt, 0.0) for attempt in range(3)] == [0.2, 0.4, 0.8]
    assert backoff_seconds(10_000, 0.0) == MOST_SECONDS
    assert backoff_seconds(10_000, 1.0) == MOST_SECONDS / 2


def test_counts_add_up_with_repeats_and_gaps() -> None:
    """Outcomes less redelivered plus missing are the offsets between the first and the next."""
    records = [record(None, offset) for offset in (3, 4, 5, 9)]
    (one,) = count(records, dict.fromkeys(range(4), Outcome.DUPLICATE), {(records[0].topic, 0): 5}).values()

    assert (one.redelivered, one.missing, one.next_offset) == (2, 3, 10)
    assert sum(one.outcomes.values()) - one.redelivered + one.missing == one.next_offset - 5


def test_the_watchdog_ends_a_worker_that_lands_nothing() -> None:
    """Waiting records without a landed batch for longer than the patience are a hang; retries and idleness are not."""
    stuck = Watchdog(10.0, 0.0)

    assert not stuck.is_stuck(10.0, batches=0, waiting_records=5, retrying=False)
    assert stuck.is_stuck(10.1, batches=0, waiting_records=5, retrying=False)
    for calm in ({"batches": 1}, {"waiting_records": 0}, {"retrying": True}):
        told: dict[str, Any] = {"batches": 0, "waiting_records": 5, "retrying": False, **calm}
        assert not Watchdog(10.0, 0.0).is_stuck(100.0, **told)


def test_a_failpoint_must_exist() -> None:
    """A misspelt failpoint is refused: a test that injects nothing would pass for nothing."""
    with pytest.raises(UnknownFailpointError):
        failing("after_lunch")
    for place in FAILPOINTS:
        failing("")(place)


def test_the_letterbox_marks_what_was_sent() -> None:
    """Letters are sent in portions, and marked only after the topic has them."""
    done: list[tuple[str, list[int]]] = []

    class Letters:
        pending: ClassVar = [type("Letter", (), {"dead_letter_id": number}) for number in range(3)]

        def unpublished_letters(self, most: int) -> Sequence[Any]:
            return self.pending[:2]

        def mark_published(self, ids: Collection[int]) -> None:
            done.append(("marked", list(ids)))
            self.pending = self.pending[2:]

    class Topic:
        async def send(self, letters: Sequence[Any]) -> None:
            done.append(("sent", [letter.dead_letter_id for letter in letters]))

    asyncio.run(Letterbox(Letters(), Topic()).publish_pending())

    assert done == [("sent", [0, 1]), ("marked", [0, 1]), ("sent", [2]), ("marked", [2])]
