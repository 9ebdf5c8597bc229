"""The weekly report against SQL: what stands on the page is what the warehouse holds, and nothing says so kindly."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ops.objectives import file
from ops.report import digest
from ops.report.facts import Facts, gather
from ops.report.page import render
from tests.fakes import slack
from tests.integration.report.conftest import WEEK

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def read(url: str, now: datetime = NOW) -> Facts:
    with psycopg.connect(url) as warehouse:
        return gather(warehouse, file.read(), WEEK, now)


def asked(url: str, query: str) -> Any:
    with psycopg.connect(url) as warehouse:
        row = warehouse.execute(query).fetchone()  # type: ignore[call-overload]
    return row[0] if row and len(row) == 1 else row


class Sections(HTMLParser):
    """The text of the page by heading, white space folded; and every address it refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, str] = {"": ""}
        self.addresses: list[str] = []
        self._heading, self._inside = "", ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "xlink:href")]
        if tag == "h2":
            self._heading = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "h2" and not self._heading:
            self._heading = data.strip()
        elif self._inside not in ("style", "text"):
            self.texts[self._heading] = " ".join(f"{self.texts.get(self._heading, '')} {data}".split())


def sections(page: str) -> Sections:
    parser = Sections()
    parser.feed(page)
    return parser


def test_the_numbers_on_the_page_are_those_of_the_warehouse(filled: str) -> None:
    """Objectives, outcomes, dead letters, publishes, reconciliation and movers, each compared with a query of its own."""
    shown = sections(render(read(filled))).texts

    bad, measured = asked(
        filled, "select sum(bad_seconds), sum(measured_seconds) from ops.objective_slices where objective = 'end_to_end_p99'"
    )
    assert f"{int(10_000 * (1 - bad / measured)) / 100:g} %" in shown["Objectives"]
    counted = "select max(applied) from ops.consumed_samples where slice_at <"
    applied = asked(filled, f"{counted} '2026-11-23 00:00+01'") - asked(filled, f"{counted} '2026-11-16 00:00+01'")
    assert f"{applied:,}" in shown["What became of every record"]
    letters = asked(
        filled,
        "select count(*), count(*) filter (where status = 'open') from landing.dead_letters where reason = 'unknown_value'",
    )
    assert "unknown_value {} {} 24".format(*letters) in shown["Dead letters"]
    publications = asked(filled, "select count(*) from marts.publications")
    assert f"{publications} publications; 21 cycles were held by the gate, 1 could not run." in shown["Publishes and the gate"]
    assert "held 2026-11-18 10:10 CET 21 minutes" in shown["Publishes and the gate"]
    assert "ticket_signals 2 1 4 4 2026-11-18 01:59 CET" in shown["Store and warehouse compared"]
    assert "Delivery & returns 1,200 +300 \u2212250 \u2212180 500 90 zendesk 4711" in shown["Drivers that moved most"]


def test_incidents_carry_their_times(filled: str) -> None:
    """Noticed ten minutes after it began, mended an hour after; the open one is open; the one of another week is not there."""
    shown = sections(render(read(filled))).texts["Incidents"]

    assert "2026-11-18 10:00 CET 10 minutes 1 hour" in shown
    assert "2026-11-20 08:00 CET 0 seconds open" in shown
    assert "Over before." not in shown


def test_alert_precision_names_the_check_to_look_at(filled: str) -> None:
    """Three of four flagged: 25 % right, and a suggestion."""
    shown = sections(render(read(filled))).texts["How often alerts were right"]

    assert "gate:landing:volume 4 3 25 %" in shown
    assert "3 of 4 incidents were flagged as not a problem" in shown


def test_an_unmet_objective_heads_the_page(filled: str) -> None:
    """A third of the week bad overdraws the budget of four weeks' hundredth: the headline and the exit code say so."""
    facts = read(filled)

    assert [one.objective.name for one in facts.unmet] == ["end_to_end_p99"]
    assert "1 of 6 objectives unmet" in render(facts)


def test_a_bad_week_shows_although_the_budget_lasts(warehouse_url: str) -> None:
    """One bad slice in a week of two is within the budget of four weeks, and far below the goal of this one."""
    with psycopg.connect(warehouse_url) as warehouse:
        warehouse.execute(
            "insert into ops.objective_slices values"
            " ('consumer_lag', '2026-11-17 10:00Z', 300, 300, 20, 900, 60),"
            " ('consumer_lag', '2026-11-17 10:05Z', 300, 0, 20, 0, 0)"
        )

    facts = read(warehouse_url)

    assert (facts.unmet, facts.below_goal) == ([], ["consumer_lag"])
    assert "every measured objective met, 1 below goal this week" in render(facts)
    assert "met, below goal this week" in sections(render(facts)).texts["Objectives"]


def test_the_page_needs_nothing_else_and_runs_nothing(filled: str) -> None:
    """No script, nothing loaded; links are those to evidence, and foreign text stays text."""
    page = render(read(filled))

    assert "<script" not in page
    assert [address for address in sections(page).addresses if not address.startswith("#")] == ["https://e.example/4711?a=1&b=2"]
    assert "javascript:" not in page
    assert "&lt;b&gt;Billing&lt;/b&gt;" in page and "30 % of &lt;new&gt; tickets" in page
    assert len(re.findall(r'<svg [^>]*role="img" aria-label=', page)) == 3
    assert not re.search(r"url\((?!#)|@import|https?://(?!e\.example|www\.w3\.org)", page)


def test_an_empty_warehouse_has_a_kind_report(warehouse_url: str) -> None:
    """Each section says in a sentence that there is nothing, and none shows a zero as if it were measured."""
    facts = read(warehouse_url)
    page = render(facts)

    assert page.count('class="empty"') == 10
    assert "nothing was measured" in page
    assert facts.unmet == [] and "<svg" not in page


def test_a_running_week_counts_up_to_now(filled: str) -> None:
    """The counters of now belong to a week that still runs."""
    with psycopg.connect(filled) as warehouse:
        warehouse.execute("delete from ops.consumed_samples where slice_at >= '2026-11-18Z'")
        warehouse.execute(
            "insert into landing.consumed_records (topic, kafka_partition, first_offset, next_offset, applied)"
            " values ('t', 0, 0, 9, 900000)"
        )
    before = asked(filled, "select max(applied) from ops.consumed_samples where slice_at < '2026-11-16 00:00+01'")

    running = read(filled, datetime(2026, 11, 18, 12, tzinfo=UTC))

    assert running.outcomes.total["applied"] == 900_000 - before
    assert "The week still runs" in render(running)


def test_the_digest_says_the_same_in_slacks_limits(filled: str) -> None:
    """Header, objectives, traffic, incidents and movers with evidence; nobody is mentioned."""
    payload = digest.render(read(filled), "https://reports.example/2026-W47.html")
    text = json.dumps(payload)

    assert payload["blocks"][0]["text"]["text"] == "CX Signals 2026-W47: 1 of 6 objectives unmet"
    assert "<https://reports.example/2026-W47.html|The whole report>" in text
    assert "<https://e.example/4711?a=1&amp;b=2|evidence>" in text
    assert "javascript" not in text and "<!" not in text and "<@" not in text
    assert all(len(block["text"]["text"]) <= 3000 for block in payload["blocks"] if block["type"] == "section")


def command(url: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {"CX_WAREHOUSE_URL": url, "CX_RUN_DIRECTORY": "/nowhere", "CX_TIMEZONE": "Europe/Berlin", "PATH": ""}
    program = Path(sys.executable).parent / "cx"
    return subprocess.run(
        [str(program), "report", *words], env={**known, **environment}, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_command_writes_the_page_and_its_exit_code_is_the_objectives(filled: str, tmp_path: Path) -> None:
    """1 with an unmet objective and the page written; 0 for a week without; 2 for what is no week."""
    page = tmp_path / "new" / "report.html"

    unmet = command(filled, "--week", "2026-W47", "--out", str(page), "--json")
    assert (unmet.returncode, json.loads(unmet.stdout)["week"]) == (1, "2026-W47")
    assert "Week 47 of 2026" in page.read_text()
    assert command(filled, "--week", "2026-W10", "--out", str(tmp_path / "early.html")).returncode == 0
    wrong = command(filled, "--week", "2026-W99", "--out", str(page))
    assert wrong.returncode == 2 and "is not a week" in wrong.stderr and "Traceback" not in wrong.stderr


def digest_sent(url: str, page: Path, *faults: object) -> tuple[subprocess.CompletedProcess[str], int]:
    """`cx report --slack` against a Slack with these faults: how it ended, and how many messages the channel shows."""
    with slack.running() as fake:
        fake.script = list(faults)
        done = command(url, "--week", "2026-W10", "--out", str(page), "--slack", CX_SLACK_WEBHOOK_URL=fake.address)
        return done, len(fake.messages)


def test_the_digest_arrives_once_or_the_command_says_why_not(warehouse_url: str, tmp_path: Path) -> None:
    """A rate limit is waited for; an answer that was lost is not tried again; a channel that is gone is exit code 2."""
    page = tmp_path / "report.html"

    sent, messages = digest_sent(warehouse_url, page, (429, "rate_limited", {"Retry-After": "1"}))
    assert (sent.returncode, messages) == (0, 1), sent.stderr
    lost, messages = digest_sent(warehouse_url, page, slack.LOST)
    assert (lost.returncode, messages) == (2, 1)
    gone, messages = digest_sent(warehouse_url, page, slack.ARCHIVED)
    assert (gone.returncode, messages) == (2, 0)
    assert gone.stderr == "cx report: the digest was not sent: 410 channel_is_archived\n"
    assert "CX_SLACK_WEBHOOK_URL is not set" in command(warehouse_url, "--week", "2026-W10", "--out", str(page), "--slack").stderr


def test_a_warehouse_that_is_away_is_one_line(tmp_path: Path) -> None:
    """Exit code 2 and a sentence."""
    away = command("postgresql://nobody@127.0.0.1:1/none", "--out", str(tmp_path / "report.html"))

    assert away.returncode == 2
    assert away.stderr.startswith("cx report: the warehouse does not answer") and away.stderr.count("\n") == 1


@pytest.mark.parametrize("week", ["--week", "--week=this", "--week=last", "--week=2026W47"])
def test_a_week_may_be_left_to_the_calendar(warehouse_url: str, tmp_path: Path, week: str) -> None:
    """`--week` alone is this week; a page comes of each."""
    page = tmp_path / "report.html"

    assert command(warehouse_url, week, "--out", str(page)).returncode == 0
    assert "Week " in page.read_text()
