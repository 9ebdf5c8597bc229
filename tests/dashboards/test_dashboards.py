"""The dashboards as a person meets them: in a browser, on a running stack. `make test-dashboards`."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ops.dashboards import server
from ops.dashboards.place import ASSETS, SLUGS, Place
from tests.conftest import wait_until
from tests.dashboards.conftest import wait_until_published
from tests.dashboards.moving import TAKEN, half_a_publish, whole_publishes
from tests.dashboards.screen import Screen, element
from tests.stack_fixture import RunningStack

LAPTOP_WIDTH = 1366
MOVERS = "Movers of the week: last 7 days against the 7 before"
HEAT = "Net sentiment, driver by day (points)"
TICKETS = "Tickets behind the numbers: newest 200, click a bar, line or cell above to choose"
FIRST_BAR = (0.18, 0.68)  # a point in the foot of the leftmost bar, as parts of the chart's width and height
AGREE = "Do the marts agree? Tickets as each counts them"

RECENT = "from marts.fct_ticket_signals where signal_date > current_date - 28 and signal_date <= current_date"
NUMBERS = {
    "driver-sentiment": {
        "Tickets": f"select to_char(count(*), 'FM999,999') {RECENT}",
        "Net sentiment": f"select to_char(100.0 * sum(sentiment_value) / count(*), 'FMSG990') {RECENT}",
        "Negative": f"select round(100.0 * count(*) filter (where sentiment = 'negative') / count(*)) || '%' {RECENT}",
        "High churn risk": f"select to_char(count(*) filter (where churn_risk = 'high'), 'FM999,999') {RECENT}",
    },
    "accounts-at-risk": {
        "Accounts with a high-risk ticket": "select count(*)::text from marts.fct_account_churn_risk"
        " where highest_churn_risk = 'high' and account_id <> 'unknown'",
        "Accounts with rising risk": "select count(*)::text from marts.fct_account_churn_risk"
        " where trend_7d = 'rising' and account_id <> 'unknown'",
        "High-risk tickets": "select to_char(sum(high_churn_count_28d), 'FM999,999') from marts.fct_account_churn_risk"
        " where account_id <> 'unknown'",
    },
    "can-i-trust-this": {
        "Failing checks": "select count(*)::text from marts.pipeline_gate_checks where outcome <> 'passed'",
        "Unexplained rows": "select sum(unexplained_rows)::text from (select distinct on (table_name) * from"
        " marts.pipeline_reconciliations order by table_name, reconciliation_id desc) as newest",
    },
}


@pytest.mark.parametrize("slug", SLUGS)
def test_every_chart_draws(screen: Screen, chart_counts: dict[str, int], pictures: Path, slug: str) -> None:
    """Each chart of a dashboard shows something, none fails, and nothing lies beyond the right edge of a laptop."""
    charts = screen.open(slug, chart_counts[slug])
    screen.photograph(pictures / f"{slug}.png")

    assert {chart.title for chart in charts if chart.failed or chart.empty} == set()
    assert all(chart.drawn for chart in charts)
    assert screen.width() == (LAPTOP_WIDTH, LAPTOP_WIDTH)


@pytest.mark.parametrize("slug", SLUGS)
def test_numbers_on_the_screen_are_those_of_the_marts(
    screen: Screen, chart_counts: dict[str, int], bi: psycopg.Connection, slug: str
) -> None:
    """At rest, what the big numbers say is what SQL on the marts says, and "Data as of" is the newest publication."""
    screen.open(slug, chart_counts[slug])
    expected = {title: bi.execute(query.encode()).fetchall()[0][0] for title, query in NUMBERS[slug].items()}
    newest = bi.execute("select max(id)::text from marts.publications").fetchall()[0][0]

    assert {title: screen.number(title).replace("\N{MINUS SIGN}", "-") for title in expected} == expected
    assert screen.rows("Data as of")[0][1] == newest


def test_a_driver_leads_to_its_tickets_and_a_ticket_to_its_evidence(
    screen: Screen, chart_counts: dict[str, int], bi: psycopg.Connection, pictures: Path
) -> None:
    """A click on a driver leaves its tickets, counted as SQL counts them; a click on a ticket's link opens its evidence_url."""
    screen.open("driver-sentiment", chart_counts["driver-sentiment"])
    query = f"select to_char(count(*), 'FM999,999') {RECENT} and driver = 'Billing'"
    expected = bi.execute(query.encode()).fetchall()[0][0]

    screen.page.click(*screen.page.place_of(screen.cell(MOVERS, "Billing")))
    wait_until(lambda: screen.number("Tickets") == expected, 60, f"{expected} tickets of Billing")
    screen.settle(chart_counts["driver-sentiment"])
    wait_until(lambda: {row[2] for row in screen.rows(TICKETS)} == {"Billing"}, 60, "tickets of Billing alone")
    screen.photograph(pictures / "drill.png")

    row = screen.rows(TICKETS)[0]
    evidence = "select evidence_url from marts.fct_evidence where source_system = %s and ticket_id = %s"
    (address,) = bi.execute(evidence, [row[7], row[8]]).fetchall()[0]
    assert screen.links(TICKETS)[0] == address
    screen.page.click(*screen.page.place_of(screen.cell(TICKETS, "open") + ".querySelector('a')"))
    wait_until(lambda: address in screen.page.addresses(), 30, f"{address} being opened")
    screen.page.come_back()


LEADING = {
    "Tags with most tickets (15 at most)": f"select to_char(count(*), 'FM999,999') {RECENT} group by canonical_tag"
    " order by count(*) desc limit 1",
    "Sentiment of each driver, most negative tickets first": f"select to_char(count(*), 'FM999,999') {RECENT} group by driver"
    " order by count(*) filter (where sentiment = 'negative') desc limit 1",
}


@pytest.mark.parametrize("title", LEADING)
def test_a_bar_leads_to_its_tickets(screen: Screen, chart_counts: dict[str, int], bi: psycopg.Connection, title: str) -> None:
    """A click on the first bar leaves the tickets of its tag, or of its driver, whichever part of the bar it hits."""
    screen.open("driver-sentiment", chart_counts["driver-sentiment"])
    (expected,) = bi.execute(LEADING[title].encode()).fetchall()[0]

    screen.click_within(title, *FIRST_BAR)

    wait_until(lambda: screen.number("Tickets") == expected, 60, f"{expected} tickets of the first bar")
    screen.settle(chart_counts["driver-sentiment"])
    column = 3 if title.startswith("Tags") else 2
    wait_until(lambda: len({row[column] for row in screen.rows(TICKETS)}) == 1, 60, "tickets of one bar alone")


CELL = f"{element(HEAT)}.querySelector('tbody tr:nth-child(2) td:nth-of-type(5)')"


def cell_of_the_heat_map(screen: Screen, bi: psycopg.Connection) -> tuple[str, str, str]:
    """Driver and day of CELL, and how many tickets they have."""
    driver = screen.page.evaluate(f"[...{element(HEAT)}.querySelectorAll('tbody tr:nth-child(2) th')].at(-1).innerText.trim()")
    days = "select distinct signal_date from marts.fct_ticket_signals where signal_date > current_date - 28 order by 1"
    day = bi.execute(days.encode()).fetchall()[4][0]
    counted = "select to_char(count(*), 'FM999,999') from marts.fct_ticket_signals where driver = %s and signal_date = %s"
    (tickets,) = bi.execute(counted, [driver, day]).fetchall()[0]
    return driver, str(day), tickets


def test_a_click_on_a_cell_of_the_heat_map_leaves_its_tickets(
    screen: Screen, chart_counts: dict[str, int], bi: psycopg.Connection, pictures: Path
) -> None:
    """A left click filters the page by the cell's driver and day; the same click again takes the filter away."""
    screen.open("driver-sentiment", chart_counts["driver-sentiment"])
    everything = screen.number("Tickets")
    driver, day, tickets = cell_of_the_heat_map(screen, bi)

    screen.page.click(*screen.page.place_of(CELL))
    wait_until(lambda: screen.number("Tickets") == tickets, 60, f"{tickets} tickets of {driver} on {day}")
    wait_until(lambda: {(r[0][:10], r[2]) for r in screen.rows(TICKETS)} == {(day, driver)}, 60, "the tickets of the cell")
    screen.photograph(pictures / "cell.png")

    screen.page.click(*screen.page.place_of(CELL))
    wait_until(lambda: screen.number("Tickets") == everything, 60, f"{everything} tickets again")


def test_a_right_click_on_a_cell_lists_its_tickets_with_links(
    screen: Screen, chart_counts: dict[str, int], bi: psycopg.Connection, pictures: Path
) -> None:
    """ "Drill to detail by all" lists exactly the tickets of that driver and day, and a click on an address opens it."""
    screen.open("driver-sentiment", chart_counts["driver-sentiment"])
    driver, day, tickets = cell_of_the_heat_map(screen, bi)

    screen.page.click(*screen.page.place_of(CELL), button="right")
    for entry in ("Drill to detail by", "Drill to detail by all"):
        items = f"[...document.querySelectorAll('[role=menuitem]')].filter(item => item.innerText.trim() === '{entry}')"
        screen.page.click(*screen.page.still_place_of(f"{items}.at(-1)", f"{entry} in the menu"))
    rows = f"document.querySelector('[role=dialog]').innerText.includes('{tickets} row')"
    screen.page.wait_for(rows, f"{tickets} tickets of {driver} on {day}", 60)
    link = "document.querySelector('[role=dialog] [role=link]')"
    screen.page.wait_for(link, "a link in the window", 60)
    screen.photograph(pictures / "drill-from-a-cell.png")

    address = screen.page.evaluate(f"{link}.innerText.trim()")
    known = "select count(*) from marts.fct_evidence where evidence_url = %s"
    assert bi.execute(known, [address]).fetchall()[0][0] >= 1
    screen.page.click(*screen.page.still_place_of(link, "the link"))
    wait_until(lambda: address in screen.page.addresses(), 30, f"{address} being opened")
    screen.page.come_back()


def test_a_viewer_reads_and_cannot_edit(screen: Screen, chart_counts: dict[str, int]) -> None:
    """Who logs in as viewer finds nothing to edit, may not write a dashboard, may not write SQL, and misses nothing."""
    screen.open("accounts-at-risk", chart_counts["accounts-at-risk"])
    refused = "performance.getEntriesByType('resource').filter(e => e.responseStatus >= 400).map(e => e.name)"
    token = "document.querySelector('#csrf_token').value"
    status = f"""fetch('/api/v1/%s', {{method: '%s', body: '{{}}',
        headers: {{'Content-Type': 'application/json', 'X-CSRFToken': {token}}}}}).then(answer => answer.status)"""

    assert screen.page.evaluate(refused) == []
    assert "Edit dashboard" not in screen.page.evaluate("document.body.innerText")
    assert [
        screen.page.evaluate(status % written)
        for written in (("dashboard/1", "PUT"), ("chart/1", "PUT"), ("dashboard/1", "DELETE"), ("sqllab/execute/", "POST"))
    ] == [403, 403, 403, 403]


def test_no_chart_errs_or_mixes_while_the_pipeline_publishes(
    filled: RunningStack, screen: Screen, chart_counts: dict[str, int], bi: psycopg.Connection
) -> None:
    """Under traffic, on every dashboard in turn, charts refresh, none fails, and the marts agree at every look."""
    published = "select max(id) from marts.publications"
    before = bi.execute(published).fetchall()[0][0]
    command = [str(Path(sys.executable).with_name("cx")), "simulate", "--rate", "20", "--for", "75"]
    looks, seen = dict.fromkeys(SLUGS, 0), set[str]()
    with subprocess.Popen(command, env=filled.environment, stdout=subprocess.DEVNULL) as traffic:
        while traffic.poll() is None:
            for slug in SLUGS:
                screen.open(slug, chart_counts[slug])
                until = time.monotonic() + 12  # a page refreshes every 10 s
                while time.monotonic() < until:
                    look(screen)
                    looks[slug] += 1
                    seen |= {row[1] for row in screen.rows("Data as of")}
    wait_until_published(filled)

    assert min(looks.values()) > 10
    assert len(seen) > 2
    assert bi.execute(published).fetchall()[0][0] - before >= len(seen) - 1


def look(screen: Screen) -> set[str]:
    """One look at the page: no chart has failed, and the marts agree where the page compares them. Returns the totals seen."""
    assert [chart.title for chart in screen.charts() if chart.failed] == []
    rows = screen.rows(AGREE) if screen.shows(AGREE) else []
    assert {row[2] for row in rows} <= {"0"}
    return {row[1] for row in rows}


@pytest.fixture
def still(filled: RunningStack) -> Iterator[RunningStack]:
    """The stack while nobody but the test moves its marts."""
    filled.stop("publisher")
    try:
        yield filled
    finally:
        filled.start("publisher")


def test_no_chart_shows_a_mixture_under_a_publish_every_two_seconds(
    still: RunningStack, screen: Screen, chart_counts: dict[str, int], bi: psycopg.Connection
) -> None:
    """All marts change in one transaction every 2 s: the page shows both states, each whole, and no chart fails."""
    (tickets,) = bi.execute("select count(*) from marts.fct_ticket_signals").fetchall()[0]
    screen.open("can-i-trust-this", chart_counts["can-i-trust-this"])
    totals, looks, until = set[str](), 0, time.monotonic() + 40
    with whole_publishes(still.warehouse_url) as beats:
        while time.monotonic() < until or (len(totals) < 2 and time.monotonic() < until + 60):
            totals |= look(screen)
            looks += 1

    assert totals == {str(tickets), str(tickets - TAKEN)}
    assert looks > 30 and len(beats) >= 15


def test_half_a_publish_is_seen(still: RunningStack, screen: Screen, chart_counts: dict[str, int]) -> None:
    """The tests above would notice a mixture: one mart without tickets that the others have shows as a difference."""
    screen.open("can-i-trust-this", chart_counts["can-i-trust-this"])
    assert {row[2] for row in screen.rows(AGREE)} == {"0"}

    with half_a_publish(still.warehouse_url):
        wait_until(lambda: {row[2] for row in screen.rows(AGREE)} == {"0", str(TAKEN)}, 60, "the difference on the page")


def test_a_chart_that_cannot_be_drawn_is_seen(filled: RunningStack, screen: Screen, chart_counts: dict[str, int]) -> None:
    """The tests above would notice: a mart that bi_reader may not read shows as a failed chart."""
    unreadable = {
        "Published within 10 s",
        "Store to marts: latency by minute against 10 s",
        "Where the time goes: p95 of each hop (s)",
    }

    def failed() -> set[str]:
        charts = screen.open("can-i-trust-this", chart_counts["can-i-trust-this"])
        return {chart.title for chart in charts if chart.failed}

    with psycopg.connect(filled.warehouse_url, autocommit=True) as owner:
        owner.execute("revoke select on marts.fct_pipeline_latency from bi_reader")
        try:
            wait_until(lambda: failed() == unreadable, 60, "the charts of that mart having failed, none from the cache any more")
        finally:
            owner.execute("grant select on marts.fct_pipeline_latency to bi_reader")


def test_an_export_gives_back_the_committed_assets(superset: Place, filled: RunningStack, tmp_path: Path) -> None:
    """Import and export are inverse, byte for byte: what stands in the project is what Superset holds."""
    server.run_program(superset, filled.bi_url, "superset_export.py", str(tmp_path))

    def texts(directory: Path) -> dict[str, str]:
        return {str(file.relative_to(directory)): file.read_text() for file in directory.rglob("*.yaml")}

    assert texts(tmp_path) == texts(ASSETS)
