"""A subscription that is taken out of the file, also when it was the last one, and put back."""

from datetime import timedelta
from typing import Any

import pytest

from connectors.outbound.webhooks.subscriptions import Subscription
from ops.outbound import webhook_desk
from ops.outbound.webhook_desk import Selection
from ops.stack import probes
from tests.conftest import wait_until
from tests.fakes.subscriber import Subscriber
from tests.integration.webhooks.conftest import Service, change, subscription

WHY = "select state, last_error from ops.webhook_deliveries where subscription = 'one'"
NOTICES = "select fingerprint, state from ops.alert_outbox order by alert_id"


def given_up(warehouse_url: str) -> Any:
    """What `cx status` counts as given up."""
    return (probes.warehouse(warehouse_url)["webhooks"] or {})["dead"]


@pytest.mark.parametrize("others", [(), ("two",)], ids=["the last one", "one of two"])
def test_what_waits_for_a_removed_subscription_is_given_up(
    service: Service, hook: Subscriber, others: tuple[str, ...]
) -> None:  # fmt: skip
    """It ends with the reason, its alert is over, `cx status` has nothing to say; put back, it can be replayed."""
    one, rest = subscription(hook.address), [subscription(hook.address + "/2", name, "driver = 'x'") for name in others]
    hook.always = (410, {})
    service.begin()
    with service.running(one, *rest):
        service.topic.write(change("t1", 1), change("t1", 2))
        wait_until(lambda: service.ask(NOTICES) == [("webhooks:disabled:one", "firing")], 20, "the alert")
        assert service.states() == ["waiting", "waiting"]
    with service.running(*rest):
        wait_until(lambda: service.states() == ["dead", "dead"], 20, "the end of what waited")
        assert set(service.ask(WHY)) == {("dead", "the subscription is no longer in the file")}
        assert service.ask(NOTICES)[1:] == [("webhooks:disabled:one", "ok")]
        assert given_up(service.warehouse_url) == 0
    hook.always = None
    with service.running(one, *rest):
        assert given_up(service.warehouse_url) == 2
        assert webhook_desk.replay(service.warehouse_url, "one", Selection(dead=True), "ann", "back again") == (2, 0)
        wait_until(lambda: service.states() == ["delivered", "delivered"], 20, "the replay")

    assert hook.versions("t1") == [1, 2]


def test_the_file_is_emptied_and_filled_under_a_running_service(service: Service, hook: Subscriber) -> None:
    """Without a restart: what waits ends when the last subscription goes, and changes are told when there is one again."""
    named: list[Subscription] = [subscription(hook.address, give_up_after=timedelta(days=1))]
    hook.always = (500, {})
    service.begin()
    with service.running(*named, read=lambda: tuple(named), fingerprint=lambda: str(len(named))):
        service.topic.write(change("t1", 1))
        wait_until(lambda: service.states() == ["waiting"], 20, "the queue")
        taken_out = named.pop()
        wait_until(lambda: service.states() == ["dead"], 20, "the end of what waited")
        hook.always = None
        named.append(taken_out)
        wait_until(lambda: service.has_begun(named), 20, "the subscription being known again")
        service.topic.write(change("t1", 2))
        wait_until(lambda: hook.versions("t1") == [2], 20, "what came afterwards")
