"""The routes file: read strictly, and every mistake is named."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.alerts.routes import DEFAULT_FILE
from ops.alerts.routes_file import RoutesError, parse, read
from ops.settings import SettingsError

GOOD: dict[str, Any] = {"channels": {"main": {"webhook": "CX_SLACK_WEBHOOK_URL"}}, "routes": [{"channel": "main"}]}


def test_the_file_that_comes_with_the_project_is_valid() -> None:
    """The default routes name the documented webhook variable and a reader for everything."""
    routes = read()
    assert routes.channels == {"default": "CX_SLACK_WEBHOOK_URL"}
    assert routes.mentions("critical", "anyone") == ("<!here>",)
    assert routes.mentions("info", "anyone") == ()
    assert routes.pace.reminders["critical"] == (timedelta(hours=1), timedelta(hours=4), timedelta(hours=24))


def test_the_first_route_that_fits_wins_and_owners_are_mentioned_once() -> None:
    """Routes are tried in order by severity and owner; mentions of owner and route are joined without repeats."""
    document = GOOD | {
        "channels": {"main": {"webhook": "MAIN"}, "data": {"webhook": "DATA"}},
        "routes": [
            {"owner": ["data"], "channel": "data", "mention": ["U0123ABC"]},
            {"severity": ["critical"], "channel": "main", "mention": ["here"]},
            {"channel": "main"},
        ],
        "owners": {"data": ["U0123ABC", "S0999XYZ"]},
    }  # fmt: skip
    routes = parse(document)
    assert [routes.route(*key).channel for key in (("critical", "data"), ("critical", "crm"), ("info", "crm"))] == [
        "data",
        "main",
        "main",
    ]
    assert routes.mentions("critical", "data") == ("<@U0123ABC>", "<!subteam^S0999XYZ>")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"channels": {"main": {"webhook": "https://hooks.slack.com/services/T/B/x"}}}, "channels.main.webhook"),
        ({"channels": None}, "channels"),
        ({"routes": []}, "routes"),
        ({"routes": [{"severity": ["critical"], "channel": "main"}]}, "routes"),
        ({"routes": [{"channel": "mian"}]}, "routes[0].channel"),
        ({"routes": [{"severity": ["critcal"], "channel": "main"}]}, "routes[0].severity"),
        ({"routes": [{"severities": [], "channel": "main"}]}, "routes[0]"),
        ({"owners": {"data": ["@jane"]}}, "owners.data"),
        ({"quiet_hours": {"severity": ["info"], "from": "20:00", "to": "7 am", "zone": "UTC"}}, "quiet_hours.to"),
        ({"quiet_hours": {"severity": ["info"], "from": 1200, "to": "07:00"}}, "quiet_hours.from"),
        ({"quiet_hours": {"severity": ["info"], "from": "20:00", "to": "07:00", "zone": "Mars"}}, "quiet_hours.zone"),
        ({"reminders": {"critical": ["1 fortnight"]}}, "reminders.critical"),
        ({"reminders": {"panic": ["1h"]}}, "reminders"),
        ({"group_above": 0}, "group_above"),
        ({"group_above": True}, "group_above"),
        ({"settle": 30}, "settle"),
        ({"grup_above": 5}, "grup_above"),
        ({"over_after_silence": {"a*": "never"}}, "over_after_silence.a*"),
    ],
)
def test_a_mistake_is_named_by_its_key(change: dict[str, Any], named: str) -> None:
    """Each wrong value raises an error that names the key, and no secret is asked for."""
    with pytest.raises(RoutesError) as error:
        parse(GOOD | change)
    assert named in str(error.value)


@pytest.mark.parametrize("text", ["routes: [", "just words", "- a\n- b", ""])
def test_a_file_that_is_no_mapping_is_a_users_mistake(tmp_path: Path, text: str) -> None:
    """Broken YAML gives a SettingsError with the file's name, which the command prints in one line."""
    file = tmp_path / "routes.yml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=r"routes\.yml"):
        read(str(file))
    with pytest.raises(SettingsError, match=r"missing\.yml"):
        read(str(tmp_path / "missing.yml"))


def test_the_file_holds_no_address() -> None:
    """No webhook address, only the name of a variable, stands in the routes file of the project."""
    assert "hooks.slack.com" not in DEFAULT_FILE.read_text()
    assert yaml.safe_load(DEFAULT_FILE.read_text())["channels"] == {"default": {"webhook": "CX_SLACK_WEBHOOK_URL"}}
