"""F25: Slack down, slow, limiting, gone. Nothing stalls, alerts wait and are delivered once each or grouped, and it shows."""

from dataclasses import replace

import pytest

from ops.alerts.notifier import LOCK
from ops.alerts.routes import Route
from tests.conftest import free_port, wait_until
from tests.fakes import slack
from tests.integration.alerts.conftest import ROUTES, Warehouse, notifying


def said(fake: slack.FakeSlack, cause: str) -> int:
    """How many messages name a cause."""
    return sum(any(cause in text for text in slack.texts(payload)) for payload in fake.messages)


def test_alerts_wait_while_slack_is_down_and_arrive_once_each(warehouse: Warehouse) -> None:
    """With nothing listening, incidents are folded and letters wait; when Slack is back each arrives once."""
    port = free_port()
    address = f"http://127.0.0.1:{port}/services/T000/B000/secret"
    with notifying(warehouse.url, address):
        for number in range(3):
            warehouse.notice(f"gate:check_{number}")
        wait_until(lambda: warehouse.channel() == "retrying", 10, "the channel being marked")
        warehouse.notice("gate:late")
        wait_until(lambda: warehouse.status()["open_incidents"] == 4, 5, "folding going on beside a dead Slack")
        assert warehouse.status()["waiting"] == 4
        assert warehouse.status()["retrying_channels"] == ["default"]
        assert "no connection" in warehouse.status()["last_error"]
        with slack.running(port) as fake:
            wait_until(lambda: warehouse.letters() == ["delivered"] * 4, 30, "all letters delivered")
            assert [said(fake, f"gate:check_{number}") for number in range(3)] == [1, 1, 1]
            assert len(fake.messages) == 4
            assert warehouse.status()["retrying_channels"] == []


def test_many_alerts_of_an_outage_become_one_message(warehouse: Warehouse) -> None:
    """Twenty incidents that wait for Slack arrive as one message about all of them."""
    port = free_port()
    with notifying(warehouse.url, f"http://127.0.0.1:{port}/services/T000/B000/secret"):
        for number in range(20):
            warehouse.notice(f"gate:check_{number:02}")
        wait_until(lambda: warehouse.channel() == "retrying", 10, "the channel being marked")
        wait_until(lambda: warehouse.status()["waiting"] <= 6, 10, "the queue being bounded")
        with slack.running(port) as fake:
            wait_until(lambda: warehouse.status()["waiting"] == 0, 30, "the queue being empty")
            assert len(fake.messages) <= 6
            assert warehouse.ask("select count(*) from ops.incidents where told_as = 'open'") == [20]


def test_an_incident_that_ended_during_the_outage_is_told_once_as_over(warehouse: Warehouse) -> None:
    """What opened and ended while Slack was down arrives as one message that says both."""
    port = free_port()
    with notifying(warehouse.url, f"http://127.0.0.1:{port}/services/T000/B000/secret"):
        warehouse.notice("gate:short")
        wait_until(lambda: warehouse.channel() == "retrying", 10, "the channel being marked")
        warehouse.notice("gate:short", state="ok")
        wait_until(lambda: warehouse.status()["open_incidents"] == 0, 10, "the incident being over")
        with slack.running(port) as fake:
            wait_until(lambda: warehouse.letters() == ["delivered"], 30, "the letter delivered")
            [payload] = fake.messages
            assert payload["blocks"][0]["text"]["text"].startswith("Over before this could be told: incident 1 is over after")


def test_a_slow_slack_stalls_nothing(warehouse: Warehouse, fake: slack.FakeSlack) -> None:
    """While a post hangs for seconds, notices are folded at once; the slow post counts once."""
    fake.script, fake.slow_seconds = [slack.SLOW], 3.0
    with notifying(warehouse.url, fake.address):
        warehouse.notice("gate:slow")
        wait_until(lambda: fake.requests == 1, 10, "the slow post beginning")
        warehouse.notice("gate:other")
        wait_until(lambda: warehouse.status()["open_incidents"] == 2, 1.5, "folding going on beside a slow Slack")
        assert warehouse.letters()[0] == "sending"
        wait_until(lambda: warehouse.letters() == ["delivered"] * 2, 20, "both letters delivered")
        assert [said(fake, "gate:slow"), said(fake, "gate:other")] == [1, 1]


def test_the_rate_limit_is_obeyed_and_every_letter_arrives_once(warehouse: Warehouse, fake: slack.FakeSlack) -> None:
    """With one message a second and a burst of two, five letters arrive once each and few posts are refused."""
    fake.limit(per_second=1.0, burst=2)
    with notifying(warehouse.url, fake.address):
        for number in range(5):
            warehouse.notice(f"gate:check_{number}")
        wait_until(lambda: warehouse.letters() == ["delivered"] * 5, 30, "all letters delivered")
    assert [said(fake, f"gate:check_{number}") for number in range(5)] == [1] * 5
    assert fake.requests <= 5 + 4, "the pause that Slack asked for was not kept"


def test_a_long_retry_after_is_kept(warehouse: Warehouse, fake: slack.FakeSlack) -> None:
    """While a channel rests for the minutes Slack asked for, no further post is made."""
    fake.always = (429, "rate_limited", {"Retry-After": "120"})
    with notifying(warehouse.url, fake.address):
        warehouse.notice("gate:a")
        wait_until(lambda: warehouse.channel() == "retrying", 10, "the channel resting")
        warehouse.notice("gate:b")
        wait_until(lambda: warehouse.status()["waiting"] == 2, 10, "the second letter waiting")
        [seconds] = warehouse.ask("select extract(epoch from retry_at - since)::int from ops.alert_channels")
        assert seconds == 120
        assert fake.requests == 1


def test_an_archived_channel_is_broken_shown_and_served_again_after_a_restart(
    warehouse: Warehouse, fake: slack.FakeSlack
) -> None:
    """410 marks letter and channel; folding goes on; once the webhook works again everything arrives once."""
    fake.always = slack.ARCHIVED
    with notifying(warehouse.url, fake.address):
        warehouse.notice("gate:a")
        wait_until(lambda: warehouse.letters() == ["failed"], 10, "the letter being marked")
        warehouse.notice("gate:b")
        wait_until(lambda: warehouse.status()["open_incidents"] == 2, 5, "folding going on")
        assert (warehouse.status()["broken_channels"], warehouse.status()["last_error"]) == (
            ["default"],
            "410 channel_is_archived",
        )
        assert fake.requests == 1
    fake.always = slack.OK
    with notifying(warehouse.url, fake.address):
        wait_until(lambda: warehouse.letters() == ["delivered"] * 2, 20, "both letters delivered")
    assert [said(fake, "gate:a"), said(fake, "gate:b")] == [1, 1]
    assert warehouse.status()["broken_channels"] == []


def test_a_lost_answer_leads_to_one_marked_repeat(warehouse: Warehouse, fake: slack.FakeSlack) -> None:
    """Slack took the message but the answer got lost: it comes once more and says that it may be a repeat."""
    fake.script = [slack.LOST]
    with notifying(warehouse.url, fake.address):
        warehouse.notice("gate:lost")
        wait_until(lambda: warehouse.letters() == ["delivered"], 20, "the letter delivered")
    marks = [any("may repeat" in text for text in slack.texts(payload)) for payload in fake.messages]
    assert marks == [False, True]


def test_a_letter_that_slack_refuses_arrives_in_its_plain_form(warehouse: Warehouse, fake: slack.FakeSlack) -> None:
    """A 400 to the blocks is answered with a plain line that names the incident."""
    fake.script = [(400, "invalid_blocks")]
    with notifying(warehouse.url, fake.address):
        warehouse.notice("gate:odd")
        wait_until(lambda: warehouse.letters() == ["delivered"], 20, "the letter delivered")
    assert [payload.get("blocks") for payload in fake.messages] == [None]
    assert "incident 1" in fake.messages[0]["text"]


def test_a_letter_that_slack_never_takes_ends_and_holds_up_no_other(warehouse: Warehouse, fake: slack.FakeSlack) -> None:
    """Refused twice, a letter is closed as refused and the next one goes out."""
    fake.script = [(400, "invalid_blocks"), (400, "invalid_payload")]
    with notifying(warehouse.url, fake.address):
        warehouse.notice("gate:odd")
        wait_until(lambda: warehouse.letters() == ["refused"], 20, "the letter being closed")
        warehouse.notice("gate:next")
        wait_until(lambda: warehouse.letters() == ["refused", "delivered"], 20, "the next letter delivered")


def test_a_second_notifier_stands_by(warehouse: Warehouse, fake: slack.FakeSlack, caplog: pytest.LogCaptureFixture) -> None:
    """While another holds the lock a notifier reads and sends nothing; when it is free it takes over."""
    warehouse.ask("select pg_advisory_lock(%s)", LOCK)
    with notifying(warehouse.url, fake.address):
        warehouse.notice("gate:a")
        wait_until(lambda: caplog.text.count("this one stands by") >= 3, 10, "all loops having tried")
        assert (warehouse.status()["unread"], warehouse.letters()) == (1, [])
        warehouse.ask("select pg_advisory_unlock(%s)", LOCK)
        wait_until(lambda: warehouse.letters() == ["delivered"], 20, "the letter delivered")


def test_a_broken_channel_does_not_hold_up_another(warehouse: Warehouse, fake: slack.FakeSlack) -> None:
    """With one channel refusing, the letters of the other go out."""
    routes = replace(
        ROUTES,
        channels={"broken": "CX_BROKEN", "default": "CX_SLACK_WEBHOOK_URL"},
        routes=(Route("broken", owners=frozenset({"nobody"})), Route("default")),
    )
    with notifying(warehouse.url, fake.address, routes, broken=f"http://127.0.0.1:{free_port()}/"):
        warehouse.notice("gate:a", owner="nobody")
        wait_until(lambda: warehouse.channel() == "retrying", 10, "the broken channel being marked")
        warehouse.notice("gate:b")
        wait_until(lambda: warehouse.letters() == ["waiting", "delivered"], 10, "the other letter delivered")


def test_a_dropped_warehouse_connection_is_made_again(warehouse: Warehouse, fake: slack.FakeSlack) -> None:
    """When the server ends the notifier's connection it reconnects, and later alerts are told."""
    with notifying(warehouse.url, fake.address):
        warehouse.notice("gate:before")
        wait_until(lambda: len(fake.messages) == 1, 20, "the first letter")
        assert warehouse.ask("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'cx-alerts'") == [
            True
        ]
        warehouse.notice("gate:after")
        wait_until(lambda: said(fake, "gate:after") == 1, 20, "the letter after the reconnection")


def test_the_end_of_a_told_incident_is_told(warehouse: Warehouse, fake: slack.FakeSlack) -> None:
    """Firing, then ok: two messages, the second with the duration; more firings in between make none."""
    with notifying(warehouse.url, fake.address):
        warehouse.notice("gate:a")
        wait_until(lambda: len(fake.messages) == 1, 20, "the opening")
        for _ in range(5):
            warehouse.notice("gate:a")
        wait_until(lambda: warehouse.ask("select occurrences from ops.incidents") == [6], 10, "all occurrences counted")
        warehouse.notice("gate:a", state="ok")
        wait_until(lambda: len(fake.messages) == 2, 20, "the end")
    heads = [payload["blocks"][0]["text"]["text"] for payload in fake.messages]
    assert heads[0] == "Critical: new incident 1"
    assert heads[1].startswith("Over: incident 1 is over after")
