"""Records of the topic that come too late, as a relay that slept through its own replacement writes them."""

from connectors.outbound.relay.snapshots import CHANGED, WITHDRAWN, sequence
from tests.conftest import wait_until
from tests.fakes.subscriber import Subscriber
from tests.integration.webhooks.conftest import Service, change, deleted, subscription


def place(transaction: int, rank: int = CHANGED) -> str:
    """A ce_sequence as the relay makes it."""
    return sequence(1, transaction, rank, 0)


def test_an_older_record_is_never_told_after_a_newer_one(service: Service, hook: Subscriber) -> None:
    """Late in the same batch, repeated, after a restart, after a delete: the subscriber hears each state once and in order."""
    service.begin()
    late = change("t1", 2)
    with service.running(subscription(hook.address)):
        service.topic.write(
            change("t1", 1), change("t1", 3), late, change("t1", 3), change("t1", 1),
            sequences=[place(1), place(3), place(2), place(3), place(1)],
        )  # fmt: skip
        wait_until(lambda: hook.versions("t1")[-1:] == [3], 20, "the newest version")
    with service.running(subscription(hook.address)):
        service.topic.write(late, change("t9", 1), sequences=[place(2), place(9)])
        wait_until(lambda: hook.versions("t9") == [1], 20, "what came after the late record")
        service.topic.write(deleted("t1"), change("t9", 2), sequences=[place(5, WITHDRAWN), place(10)])
        wait_until(lambda: hook.versions("t9") == [1, 2], 20, "what came after the delete")
        service.topic.write(change("t1", 4), change("t9", 3), sequences=[place(4), place(11)])
        wait_until(lambda: hook.versions("t9") == [1, 2, 3], 20, "what came after a record that the delete had overtaken")
        wait_until(lambda: "waiting" not in service.states(), 20, "everything told")

    kinds = [taken.body["type"] for taken in hook.taken if taken.body["data"]["ticket_id"] == "t1"]
    assert hook.versions("t1") == [1, 3]
    assert kinds == ["cx.signal.changed", "cx.signal.changed", "cx.signal.deleted"]
    assert len(hook.requests) == len(set(hook.requests)) == 6


def test_a_late_record_does_not_bring_a_ticket_back_into_a_filter(service: Service, hook: Subscriber) -> None:
    """A ticket that was never told, and whose newest state does not pass, is not told because an older state would have."""
    service.begin()
    only_high = subscription(hook.address, filter_text="churn_risk in (high)")
    with service.running(only_high):
        service.topic.write(
            change("t1", 2, "low"), change("t1", 1, "high"), change("t1", 3, "low"), change("t9", 1),
            sequences=[place(2), place(1), place(3), place(4)],
        )  # fmt: skip
        wait_until(lambda: hook.versions("t9") == [1], 20, "the ticket that passes")
        wait_until(lambda: "waiting" not in service.states(), 20, "everything told")

    assert {taken.body["data"]["ticket_id"] for taken in hook.taken} == {"t9"}
