"""The "not a problem" page, served by a real `cx alerts serve` and reached by the link in a real message."""

import re
import signal
import subprocess
from collections.abc import Callable
from html import unescape

import httpx
import pytest

from tests.conftest import wait_until
from tests.fakes import slack
from tests.integration.alerts.conftest import Warehouse, cx, environment

Serve = Callable[..., tuple[subprocess.Popen[str], str]]
FORM = {"name": "Ada", "why": "A planned import of old tickets."}


@pytest.fixture
def link(warehouse: Warehouse, fake: slack.FakeSlack, serve: Serve) -> str:
    """The link of the first message."""
    serve()
    warehouse.notice(
        "gate:volume", rows=[{"ticket_id": "<b>1</b>", "field": "driver", "value": "<script>", "evidence_url": "javascript:x"}]
    )
    wait_until(lambda: fake.messages, 20, "the message")
    found = re.search(r"<(http[^|>]+)\|Not a problem\?>", "\n".join(slack.texts(fake.messages[0])))
    assert found
    return unescape(found[1])


def flags(warehouse: Warehouse) -> list[tuple[str, str, str]]:
    return warehouse.ask("select flagged_by, why, via from ops.alert_flags order by flag_id")


def test_looking_at_the_page_changes_nothing(warehouse: Warehouse, link: str) -> None:
    """GET and HEAD, as link previews send them, show the form and record nothing."""
    for _ in range(3):
        assert httpx.head(link).status_code == 200
        shown = httpx.get(link)
    assert '<form method="post">' in shown.text
    assert "Something is wrong with gate:volume." in shown.text
    assert flags(warehouse) == []


def test_the_form_records_once_however_often_it_is_sent(warehouse: Warehouse, link: str) -> None:
    """The first POST is recorded; replays of it and other answers through the same link change nothing."""
    answers = [httpx.post(link, data=data, follow_redirects=True) for data in (FORM, FORM, FORM | {"name": "Eve"})]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert all("Recorded as not a problem by Ada" in answer.text for answer in answers)
    assert flags(warehouse) == [("Ada", FORM["why"], "link")]
    assert warehouse.ask("select incidents, flagged, precision::float from ops.alert_precision") == [(1, 1, 0.0)]


@pytest.mark.parametrize("form", [{}, {"name": "Ada"}, {"why": "because"}, {"name": " ", "why": "\n"}])
def test_an_answer_without_reason_or_name_is_asked_for_again(warehouse: Warehouse, link: str, form: dict[str, str]) -> None:
    """An incomplete form is shown again with what was already written."""
    answer = httpx.post(link, data=form)
    assert answer.status_code == 422
    assert "Please give a reason and your name." in answer.text
    assert flags(warehouse) == []


def test_a_forged_or_foreign_link_shows_a_page_and_records_nothing(warehouse: Warehouse, link: str) -> None:
    """A changed signature, another incident's number or an early date is refused for GET and POST alike."""
    base, incident, expires, nonce, signature = link.rsplit("/", 4)
    forged = [
        "/".join((base, incident, expires, nonce, "0" * 64)),
        "/".join((base, "2", expires, nonce, signature)),
        "/".join((base, incident, "9999999999", nonce, signature)),
        "/".join((base, incident, expires, "other", signature)),
    ]
    for address in forged:
        assert [httpx.get(address).status_code, httpx.post(address, data=FORM).status_code] == [403, 403]
    assert "cx alerts flag 1" in httpx.get(forged[0]).text
    assert flags(warehouse) == []


def test_the_page_runs_nothing_and_loads_nothing(link: str) -> None:
    """Foreign text is escaped, bad evidence addresses are no links, and the policy allows only the page's own style."""
    answer = httpx.get(link)
    assert "<script" not in answer.text
    assert "javascript:" not in answer.text
    assert "&lt;b&gt;1&lt;/b&gt;" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


def test_text_that_a_database_cannot_hold_is_cleaned(warehouse: Warehouse, link: str) -> None:
    """NUL bytes, control characters and overlong text are accepted and stored clean and short."""
    httpx.post(link, data={"name": "A\0da", "why": "x" * 9000})
    [(name, why, _)] = flags(warehouse)
    assert (name, len(why)) == ("A da", 2000)


def test_too_much_text_is_a_page_and_not_an_error(warehouse: Warehouse, link: str) -> None:
    """A body beyond the limit is answered with 413 and a sentence."""
    answer = httpx.post(link, data=FORM | {"why": "x" * 100_000})
    assert (answer.status_code, "Please use at most" in answer.text) == (413, True)
    assert flags(warehouse) == []


def test_the_metrics_count_what_was_sent(fake: slack.FakeSlack, warehouse: Warehouse, serve: Serve) -> None:
    """/metrics names deliveries by result and the letters that wait."""
    fake.script = [slack.ROLLUP]
    _, address = serve()
    warehouse.notice("gate:volume")
    wait_until(lambda: fake.messages, 20, "the message")
    wait_until(lambda: "cx_alerts_waiting 0.0" in httpx.get(f"{address}/metrics").text, 10, "nothing waiting")
    text = httpx.get(f"{address}/metrics").text
    assert 'cx_alerts_deliveries_total{result="retry"} 1.0' in text
    assert 'cx_alerts_deliveries_total{result="delivered"} 1.0' in text


def test_sigterm_ends_the_notifier_cleanly(serve: Serve) -> None:
    """SIGTERM: exit code 0, no stack trace."""
    process, _ = serve()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=10)
    assert (process.returncode, "Traceback" in errors) == (0, False)


def test_killed_while_sending_the_letter_comes_again_and_says_so(
    warehouse: Warehouse, fake: slack.FakeSlack, serve: Serve
) -> None:
    """kill -9 between the post and its record: the next notifier sends the letter once more, marked as a possible repeat."""
    fake.script = [slack.SLOW]
    process, _ = serve()
    warehouse.notice("gate:volume")
    wait_until(lambda: fake.messages, 20, "the message being on its way")
    process.kill()
    process.wait(10)
    assert warehouse.letters() == ["sending"]
    serve()
    wait_until(lambda: warehouse.letters() == ["delivered"], 20, "the letter delivered")
    assert [any("may repeat" in text for text in slack.texts(payload)) for payload in fake.messages] == [False, True]


def test_the_webhook_stands_in_no_log(warehouse: Warehouse, fake: slack.FakeSlack, serve: Serve) -> None:
    """Neither failures nor successes write the webhook's address or the flag secret."""
    fake.script = [slack.NO_HOOK]
    process, _ = serve()
    warehouse.notice("gate:volume")
    wait_until(lambda: warehouse.letters() == ["failed"], 20, "the failure")
    process.terminate()
    _, errors = process.communicate(timeout=10)
    assert "404 no_active_hooks" in errors
    assert not any(secret in errors for secret in ("B000", "a secret of the test"))


def test_without_a_webhook_alerts_stay_in_the_list_and_the_log_says_so_once(warehouse: Warehouse, serve: Serve) -> None:
    """No CX_SLACK_WEBHOOK_URL: incidents are folded and listed with the reason, and one line tells the operator."""
    process, _ = serve(CX_SLACK_WEBHOOK_URL="")
    warehouse.notice("gate:volume")
    wait_until(lambda: warehouse.status()["open_incidents"] == 1, 20, "the incident")
    wait_until(lambda: warehouse.ask("select quiet_reason from ops.incidents") != [None], 20, "the reason")
    listed = cx("list", env=environment(warehouse.url))
    assert "CX_SLACK_WEBHOOK_URL is not set" in listed.stdout
    process.terminate()
    _, errors = process.communicate(timeout=10)
    assert errors.count("CX_SLACK_WEBHOOK_URL is not set") == 1
