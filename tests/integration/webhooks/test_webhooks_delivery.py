"""What arrives at a subscriber: signed, in order, once in effect, whatever it answers."""

from datetime import UTC, datetime, timedelta

from tests.conftest import free_port, wait_until
from tests.fakes import subscriber
from tests.fakes.subscriber import HANG, LOST, LOST_UNREAD, SLOW, Subscriber
from tests.integration.webhooks.conftest import SECRET, Service, change, deleted, subscription


def test_a_change_arrives_signed(service: Service, hook: Subscriber) -> None:
    """The authors' own library verifies it; id, type and the record's fields are there."""
    with service.running(subscription(hook.address)):
        service.topic.write(change("t1", 1))
        wait_until(lambda: service.states() == ["delivered"], 10, "the delivery")

    [taken] = hook.taken
    assert hook.forged == 0
    assert taken.message_id.startswith("msg_")
    assert taken.body["type"] == "cx.signal.changed"
    assert taken.body["data"] == {
        "source_system": "zendesk", "ticket_id": "t1", "version": 1, "churn_risk": "high", "driver": "Billing",
        "idempotency_key": "t1:1",
    }  # fmt: skip


def test_every_answer_that_heals_ends_in_one_effect_in_order(service: Service, hook: Subscriber) -> None:
    """500, a lost answer, a dropped connection and a time-out: each version takes effect once, none before an earlier one."""
    hook.script = [
        (500, {}),
        LOST,
        LOST_UNREAD,
        HANG,
        (429, {"Retry-After": "1"}),
        (302, {"Location": "http://127.0.0.1:1/"}),
        SLOW,
    ]
    with service.running(subscription(hook.address, timeout_seconds=0.7)):
        service.topic.write(*(change("t1", version) for version in (1, 2, 3)), change("t2", 1), change("t3", 1))
        wait_until(lambda: service.states() == ["delivered"] * 5, 60, "all deliveries")

    versions = hook.versions("t1")
    assert list(dict.fromkeys(versions)) == [1, 2, 3] and versions == sorted(versions)
    assert {taken.body["data"]["ticket_id"] for taken in hook.taken} == {"t1", "t2", "t3"}
    assert len({taken.message_id for taken in hook.taken}) == 5
    assert hook.forged == 0


def test_a_later_event_never_overtakes_an_earlier_one(service: Service, hook: Subscriber) -> None:
    """While version 1 is refused nothing else of its ticket is tried; other tickets go on."""
    hook.script = [(503, {"Retry-After": "0"})] * 2
    with service.running(subscription(hook.address, concurrency=1)):
        service.topic.write(*(change("t1", version) for version in range(1, 11)))
        wait_until(lambda: hook.versions("t1") == list(range(1, 11)), 60, "all versions in order")


def test_repeated_records_are_told_once(service: Service, hook: Subscriber) -> None:
    """The relay may say everything again: what was queued once is not queued twice."""
    records = [change("t1", 1), change("t1", 2), deleted("t1")]
    with service.running(subscription(hook.address)):
        service.topic.write(*records, *records, change("t9", 1))
        wait_until(lambda: any(taken.body["data"]["ticket_id"] == "t9" for taken in hook.taken), 20, "the last record")
        wait_until(lambda: "waiting" not in service.states(), 20, "everything told")

    assert [taken.body["type"] for taken in hook.taken if taken.body["data"]["ticket_id"] == "t1"][-1] == "cx.signal.deleted"
    assert len(hook.requests) == len(set(hook.requests))


def test_a_filter_lets_through_what_fits_and_says_when_it_no_longer_does(service: Service, hook: Subscriber) -> None:
    """changed, left with the identity only, and nothing of tickets that never fitted."""
    with service.running(subscription(hook.address, filter_text="churn_risk in (high) and driver = 'Billing'")):
        service.topic.write(
            change("t1", 1), change("t2", 1, "low"), change("t1", 2, "low"), change("t1", 3, "low"), deleted("t2"),
            change("t3", 1), deleted("t3"), change("t4", 1),
        )  # fmt: skip
        wait_until(lambda: any(taken.body["data"]["ticket_id"] == "t4" for taken in hook.taken), 20, "the last ticket")
        wait_until(lambda: "waiting" not in service.states(), 20, "everything told")

    told = [(taken.body["data"]["ticket_id"], taken.body["type"].rpartition(".")[2]) for taken in hook.taken]
    of_t1, of_t3 = ([kind for ticket, kind in told if ticket == one] for one in ("t1", "t3"))
    assert of_t1 == ["changed", "left"]
    assert of_t3 in (["changed", "deleted"], ["deleted"])  # a payload that had not left yet is erased
    assert not any(ticket == "t2" for ticket, _ in told)
    left = next(taken.body["data"] for taken in hook.taken if taken.body["type"] == "cx.signal.left")
    assert left == {"source_system": "zendesk", "ticket_id": "t1"}


def test_a_delete_erases_what_waits_and_what_was_sent(service: Service, hook: Subscriber) -> None:
    """No payload of a deleted ticket stays in the queue; the subscriber hears of the delete."""
    with service.running(subscription(hook.address)):
        service.topic.write(change("t1", 1))
        wait_until(lambda: service.states() == ["delivered"], 10, "the delivery")
        hook.always = (500, {})
        service.topic.write(change("t1", 2))
        wait_until(lambda: len(hook.requests) >= 2, 10, "an attempt")
        service.topic.write(deleted("t1"))
        wait_until(lambda: "erased" in service.states(), 10, "the erasure")
        hook.always = None
        wait_until(lambda: service.states() == ["delivered", "erased", "delivered"], 30, "the delete being told")

    bodies = service.ask("select kind, body is null from ops.webhook_deliveries order by delivery_id")
    assert bodies == [("cx.signal.changed", True), ("cx.signal.changed", True), ("cx.signal.deleted", False)]
    assert hook.versions("t1") == [1]


def test_a_slow_subscriber_delays_nobody(service: Service, hook: Subscriber) -> None:
    """While one answers nothing for seconds, another gets everything at once, and the slow one never more than it allows."""
    with subscriber.running(SECRET) as slow:
        slow.always = HANG
        two = subscription(slow.address, "slow", timeout_seconds=30.0, concurrency=2)
        with service.running(subscription(hook.address), two):
            service.topic.write(*(change(f"t{number}", 1) for number in range(50)))
            wait_until(lambda: len(hook.taken) == 50, 10, "the quick one being served")
            assert service.states("slow").count("waiting") == 50
            assert slow.most_at_once <= 2


def test_410_disables_the_subscription_and_people_hear_of_it(service: Service, hook: Subscriber) -> None:
    """Nothing more is sent; an alert says why; what waits can still be delivered after a resume."""
    hook.always = (410, {})
    with service.running(subscription(hook.address, owner="support-ops")):
        service.topic.write(change("t1", 1), change("t1", 2))
        wait_until(lambda: service.ask("select fingerprint, owner from ops.alert_outbox"), 10, "the alert")
        service.topic.write(change("t2", 1))
        wait_until(lambda: len(service.states()) == 3, 10, "the queue growing")
        assert service.ask("select fingerprint, state, owner from ops.alert_outbox") == [
            ("webhooks:disabled:one", "firing", "support-ops")
        ]
        assert len(hook.requests) == 1
        hook.always = None
        service.connection.execute("update ops.webhook_subscriptions set state = 'active', resumed_at = clock_timestamp()")
        wait_until(lambda: service.states() == ["delivered"] * 3, 20, "the deliveries after a resume")
        wait_until(lambda: service.ask("select 1 from ops.alert_outbox where state = 'ok'"), 10, "the end of the alert")


def test_a_circuit_leaves_a_failing_subscriber_alone(service: Service) -> None:
    """Nobody listens: after five failures it is tried one at a time with rests; once it answers everything arrives."""
    port = free_port()
    with service.running(subscription(f"http://127.0.0.1:{port}/hooks")):
        service.topic.write(*(change(f"t{number}", 1) for number in range(40)))
        wait_until(
            lambda: service.ask("select 1 from ops.webhook_subscriptions where opened_at is not null"), 20, "it being open"
        )
        attempts = sum(service.ask("select attempts from ops.webhook_deliveries"))
        assert attempts <= 20  # five, and those in flight when it opened
        with subscriber.running(SECRET, port) as healed:
            service.connection.execute("update ops.webhook_subscriptions set resumed_at = clock_timestamp()")
            wait_until(lambda: len(healed.taken) == 40, 60, "all arriving")
            assert service.ask("select opened_at from ops.webhook_subscriptions") == [None]


def test_what_nobody_takes_is_given_up_and_told(service: Service, hook: Subscriber) -> None:
    """After the budget a message is a dead letter with the last answer, and an alert says how to replay it."""
    hook.always = (500, {})
    with service.running(subscription(hook.address, give_up_after=timedelta(milliseconds=1))):
        service.topic.write(change("t1", 1))
        wait_until(lambda: service.states() == ["dead"], 20, "the dead letter")
        wait_until(lambda: service.ask("select 1 from ops.alert_outbox"), 10, "the alert")

    [(fingerprint, details)] = service.ask("select fingerprint, details from ops.alert_outbox")
    assert fingerprint == "webhooks:dead:one"
    assert details["remedy"].endswith("`cx webhooks replay one --dead`.")
    assert service.ask("select last_error from ops.webhook_deliveries") == ["500"]


def test_inner_addresses_are_not_called(service: Service, hook: Subscriber) -> None:
    """Without a named network neither a loopback address nor a name for it is connected to, nor a redirect followed."""
    address = hook.address.replace("http://", "https://")
    inner = subscription(address, allow_networks=())
    by_name = subscription(address.replace("127.0.0.1", "localhost"), "named", allow_networks=())
    with subscriber.running(SECRET) as outer:
        outer.always = (307, {"Location": hook.address})
        with service.running(inner, by_name, subscription(outer.address, "redirected")):
            service.topic.write(change("t1", 1))
            wait_until(lambda: len(service.ask("select 1 from ops.webhook_deliveries where attempts > 0")) == 3, 20, "attempts")

    said = dict(service.ask("select subscription, last_error from ops.webhook_deliveries"))
    assert "a loopback address" in said["one"] and "a loopback address" in said["named"]
    assert said["redirected"] == "307 a redirect, which is not followed"
    assert hook.requests == []


def test_nothing_is_told_from_before_it_was_known(service: Service, hook: Subscriber) -> None:
    """A topic's past is not sent to a new subscription."""
    service.topic.write(change("t1", 1), landed=datetime.now(UTC) - timedelta(hours=1))
    with service.running(subscription(hook.address)):
        service.topic.write(change("t2", 1))
        wait_until(lambda: hook.taken, 10, "the new ticket")

    assert [taken.body["data"]["ticket_id"] for taken in hook.taken] == ["t2"]


def test_what_lands_between_being_known_and_being_read_is_told(service: Service, hook: Subscriber) -> None:
    """A subscription is known before its topic is first read: what the topic gets in between is not passed over."""
    service.connection.execute("insert into ops.webhook_subscriptions (subscription) values ('one')")
    service.topic.write(*(change(f"t{number}", 1) for number in range(20)))
    with service.running(subscription(hook.address)):
        wait_until(lambda: len(hook.taken) == 20, 20, "what was there when the reading began")

    assert {taken.body["data"]["ticket_id"] for taken in hook.taken} == {f"t{number}" for number in range(20)}


def test_at_rest_every_ticket_has_its_newest_version(service: Service, hook: Subscriber) -> None:
    """Many versions of many tickets at once, with failures between: each arrives once in effect, in order, to the newest."""
    versions, tickets = range(1, 9), [f"t{number}" for number in range(100)]
    hook.script = [LOST if number % 50 == 7 else None for number in range(400)]
    with service.running(subscription(hook.address)):
        service.topic.write(*(change(ticket, version) for version in versions for ticket in tickets))
        wait_until(lambda: service.states() == ["delivered"] * 800, 60, "everything told")

    told = {ticket: list(dict.fromkeys(hook.versions(ticket))) for ticket in tickets}
    assert told == {ticket: list(versions) for ticket in tickets}
