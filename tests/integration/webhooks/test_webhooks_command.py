"""`cx webhooks` as a person uses it."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from connectors.outbound.webhooks.signing import decode_secret
from ops.cli.webhooks import webhooks
from tests.conftest import wait_until
from tests.fakes.subscriber import Subscriber
from tests.integration.webhooks.conftest import SECRET, Service, change, subscription

FILE = """\
subscriptions:
  one:
    url: {address}
    projection: signals
    filter: churn_risk in (high)
    secrets: [{{env: CX_TEST_WEBHOOK_SECRET}}]
    allow_networks: [127.0.0.0/8]
"""


@pytest.fixture
def cx(service: Service, hook: Subscriber, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `cx webhooks …` on the test's warehouse with a file of one subscription."""
    file = tmp_path / "hooks.yml"
    file.write_text(FILE.format(address=hook.address))
    monkeypatch.setenv("CX_WEBHOOKS", str(file))
    monkeypatch.setenv("CX_WAREHOUSE_URL", service.warehouse_url)
    monkeypatch.setenv("CX_TEST_WEBHOOK_SECRET", SECRET)

    def run(*words: str) -> Result:
        return CliRunner().invoke(webhooks, words)

    return run


def test_a_made_secret_is_a_good_one(cx: Any) -> None:
    """What `secret` prints can be used, and is another each time."""
    one, other = (cx("secret").output.strip() for _ in range(2))

    assert len(decode_secret(one)) == 32 and one != other


def test_a_test_message_arrives_signed(cx: Any, hook: Subscriber) -> None:
    """It is verified by the subscriber; an answer that is none ends with exit code 1."""
    assert cx("test", "one").output == "one: delivered, 204\n"
    assert [taken.body["type"] for taken in hook.taken] == ["cx.webhook.test"]
    hook.always = (500, {})
    refused = cx("test", "one", "--json")
    assert (refused.exit_code, json.loads(refused.output)["status"]) == (1, 500)


def test_mistakes_are_sentences(cx: Any, tmp_path: Path) -> None:
    """An unknown name, a wrong file, no selection: a sentence and exit code 2."""
    assert cx("pause", "two").exit_code == 2
    assert "there is no subscription 'two'; known are one" in cx("pause", "two").output
    assert "say which: --dead" in cx("replay", "one").output
    assert "has not taken it up yet" in cx("pause", "one").output
    (tmp_path / "hooks.yml").write_text("subscriptions:\n  one: {url: x}\n")
    wrong = cx("list")
    assert wrong.exit_code == 2 and "hooks.yml:2: one has no projection: add it" in wrong.output


def test_pause_resume_and_replay(cx: Any, service: Service, hook: Subscriber) -> None:
    """Paused, messages wait; resumed, they arrive; replayed, the newest of each ticket arrives again under its id."""
    with service.running(subscription(hook.address)):
        assert cx("pause", "one", "--why", "release", "--by", "ann").output == "one is paused\n"
        wait_until(lambda: service.ask("select state from ops.webhook_subscriptions") == ["paused"], 5, "the pause")
        service.topic.write(change("t1", 1))
        wait_until(lambda: len(service.states()) == 1, 10, "the queue")
        [row] = json.loads(cx("list", "--json").output)
        assert (row["state"], row["waiting"], row["filter"]) == ("paused", 1, "churn_risk in ('high')")
        assert cx("resume", "one").output == "one is active\n"
        service.topic.write(change("t1", 2), change("t2", 1))
        wait_until(lambda: service.states() == ["delivered"] * 3, 20, "the deliveries")
        assert cx("list").exit_code == 0
        before = [taken.message_id for taken in hook.taken]
        assert "2 messages are sent again; 1 stay" in cx("replay", "one", "--since", "1h", "--why", "lost").output
        wait_until(lambda: len(hook.taken) == 5, 20, "the replay")
        assert {taken.message_id for taken in hook.taken[3:]} < set(before)

    actions = service.ask("select action, by, why, deliveries from ops.webhook_actions order by action_id")
    assert actions[0] == ("pause", "ann", "release", None)
    assert [action for action, *_ in actions] == ["pause", "resume", "replay"]


def test_a_dead_letter_behind_a_newer_state_is_not_sent(cx: Any, service: Service, hook: Subscriber) -> None:
    """Of two messages that were given up the newer is replayed; the older would undo it and stays."""
    with service.running(subscription(hook.address)):
        service.topic.write(change("t1", 1), change("t1", 2), change("t2", 1))
        wait_until(lambda: service.states() == ["delivered"] * 3, 20, "the deliveries")
        service.connection.execute(
            "update ops.webhook_deliveries set state = 'dead' where ticket_id = 't2' or idempotency_key = 't1:1'"
        )
        assert cx("list").exit_code == 1
        assert "1 messages are sent again; 1 stay" in cx("replay", "one", "--dead").output
        wait_until(lambda: sorted(service.states()) == ["delivered", "delivered", "superseded"], 20, "the replay")

    assert hook.versions("t1") == [1, 2]
