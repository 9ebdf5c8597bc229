"""`cx alerts`: list, show, flag and test, as a user types them."""

import json
from pathlib import Path
from typing import Any

import pytest

from ops.stack import postgres
from tests.conftest import wait_until
from tests.fakes import slack
from tests.integration.alerts.conftest import Warehouse, cx, environment, notifying


@pytest.fixture
def told(warehouse: Warehouse, fake: slack.FakeSlack) -> Warehouse:
    """A warehouse with one told incident."""
    failing = {
        "source_system": "zendesk",
        "ticket_id": "77",
        "field": "evidence_quote",
        "value": "call Ms Smith",
        "evidence_url": "https://z/77",
    }
    with notifying(warehouse.url, fake.address):
        warehouse.notice("gate:volume", affected=1234, remedy="Look at the import.", rows=[failing])
        wait_until(lambda: warehouse.letters() == ["delivered"], 20, "the letter delivered")
        wait_until(lambda: "told" in (warehouse.ask("select quiet_reason from ops.incidents")[0] or ""), 10, "the reason")
    return warehouse


def test_list_shows_open_incidents_and_why_they_are_silent(told: Warehouse) -> None:
    """The list names id, severity, owner, sentence and the reason of the silence; --all adds those that are over."""
    listed = cx("list", env=environment(told.url))
    assert listed.returncode == 0
    for part in ("critical", "support-ops", "Something is wrong with gate:volume.", "told"):
        assert part in listed.stdout
    told.connection.execute("update ops.incidents set over_at = clock_timestamp()")
    assert "no open incident" in cx("list", env=environment(told.url)).stdout
    assert "over, lasted" in cx("list", "--all", env=environment(told.url)).stdout


def test_list_as_json_is_for_programs(told: Warehouse) -> None:
    """--json holds incidents, the status row and the channels."""
    answer: dict[str, Any] = json.loads(cx("list", "--json", env=environment(told.url)).stdout)
    assert answer["incidents"][0]["fingerprint"] == "gate:volume"
    assert answer["status"]["open_critical"] == 1
    assert answer["channels"][0]["state"] == "working"


def test_show_is_a_letter_without_a_tickets_own_words(told: Warehouse) -> None:
    """One incident with its rows, remedy, letters and flags; the quote stays out unless the operator wants it."""
    cx("flag", "1", "--false-positive", "--why", "planned import", "--by", "Ada", env=environment(told.url))
    shown = cx("show", "1", env=environment(told.url)).stdout
    for part in ("1,234", "zendesk/77", "Look at the import.", "opened to default: delivered", "by Ada: planned import"):
        assert part in shown, part
    assert "Smith" not in shown
    assert "Smith" in cx("show", "1", env=environment(told.url, CX_QUOTE_IN_ALERTS="true")).stdout


def test_flag_records_who_and_why(told: Warehouse) -> None:
    """The command writes the same table as the link."""
    done = cx("flag", "1", "--false-positive", "--why", "planned import", "--by", "Ada", env=environment(told.url))
    assert done.returncode == 0
    assert told.ask("select fingerprint, flagged_by, why, via from ops.alert_flags") == [
        ("gate:volume", "Ada", "planned import", "command")
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("flag", "999", "--false-positive", "--why", "x"), "there is no incident 999"),
        (("flag", "1", "--false-positive", "--why", " "), "--why needs a reason"),
        (("show", "999"), "there is no incident 999"),
        (("flag", "1", "--why", "x"), "Missing option"),
        (("test", "--channel", "nowhere"), "there is no channel 'nowhere'"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(warehouse: Warehouse, arguments: tuple[str, ...], said: str) -> None:
    """Mistakes are named without a stack trace."""
    done = cx(*arguments, env=environment(warehouse.url))
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_warehouse_that_is_away_is_said_in_one_line() -> None:
    """No warehouse: exit code 2 and a sentence."""
    done = cx("list", env=environment("postgresql://cx:x@127.0.0.1:9/warehouse"))
    assert (done.returncode, "the warehouse does not answer" in done.stderr) == (2, True)
    assert "Traceback" not in done.stderr


def test_a_warehouse_without_tables_is_said_in_one_line(server: postgres.Server) -> None:
    """A database that was never migrated: exit code 2 and what to do."""
    done = cx("list", env=environment(server.url("postgres")))
    assert (done.returncode, "has no alert tables yet" in done.stderr) == (2, True)


def test_a_broken_channel_is_listed(warehouse: Warehouse, fake: slack.FakeSlack) -> None:
    """While Slack refuses, the list names the channel, since when, and Slack's own words."""
    fake.always = slack.ARCHIVED
    with notifying(warehouse.url, fake.address):
        warehouse.notice("gate:volume")
        wait_until(lambda: warehouse.letters() == ["failed"], 20, "the letter being marked")
    listed = cx("list", env=environment(warehouse.url)).stdout
    assert "channel default is broken since" in listed
    assert "410 channel_is_archived" in listed
    assert "1 letters wait" in listed


def test_a_bad_routes_file_is_named_with_its_key(warehouse: Warehouse, tmp_path: Path) -> None:
    """CX_SLACK_ROUTES with a mistake: the notifier does not start and says where the mistake is."""
    file = tmp_path / "routes.yml"
    file.write_text("channels: {main: {webhook: CX_HOOK}}\nroutes: [{channel: mian}]\n")
    done = cx("serve", env=environment(warehouse.url, CX_SLACK_ROUTES=str(file)))
    assert done.returncode == 2
    assert f"{file}: routes[0].channel: 'mian' is not one of the channels: main" in done.stderr


def test_a_test_letter_says_what_slack_answers(warehouse: Warehouse, fake: slack.FakeSlack) -> None:
    """`cx alerts test` sends one marked letter; a refusal is printed with exit code 1, without the address."""
    env = environment(warehouse.url, CX_SLACK_WEBHOOK_URL=fake.address)
    assert cx("test", env=env).stdout == "default: delivered\n"
    assert "This is a test letter" in "\n".join(slack.texts(fake.messages[0]))
    fake.always = slack.NO_HOOK
    refused = cx("test", env=env)
    assert (refused.returncode, refused.stdout) == (1, "default: 404 no_active_hooks\n")
