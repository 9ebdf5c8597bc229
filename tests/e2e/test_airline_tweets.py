"""14,640 real customer messages through the whole pipeline, compared with totals computed from the file by the standard library.

The file is not part of the project (CC BY-NC-SA): the test runs where it lies beside the checkout, in ../shared/data.
"""

import csv
import datetime as dt
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ops.settings import PROJECT_DIRECTORY
from tests.conftest import wait_until
from tests.stack_fixture import RunningStack

TWEETS = PROJECT_DIRECTORY.parent / "shared" / "data" / "airline_tweets" / "Tweets.csv"
MAPPING = PROJECT_DIRECTORY / "connectors" / "mappings" / "airline_tweets.yml"
TWEETS_IN_THE_MARTS = "select count(*) from marts.fct_ticket_signals where source_system = 'twitter'"


@pytest.fixture(scope="module")
def last_rows() -> list[dict[str, str]]:
    """The newest row of each tweet, as the file has it."""
    if not TWEETS.exists():
        warnings.warn(f"NOT TESTED ON REAL INPUT: {TWEETS} is missing", stacklevel=1)
        pytest.skip(f"real input is missing: {TWEETS}")
    with TWEETS.open(newline="", encoding="utf-8") as file:
        newest = {row["tweet_id"]: row for row in csv.DictReader(file)}
    return list(newest.values())


@pytest.fixture(scope="module")
def marts(stack: RunningStack, last_rows: list[dict[str, str]]) -> psycopg.Connection[Any]:
    """The published marts after the import, read as bi_reader."""
    run_import(stack)
    connection = psycopg.connect(stack.bi_url, autocommit=True)

    def published() -> bool:
        exists = connection.execute("select to_regclass('marts.fct_ticket_signals')").fetchone() != (None,)
        return exists and connection.execute(TWEETS_IN_THE_MARTS).fetchone() == (len(last_rows),)

    wait_until(published, seconds=180, what="every tweet being published")
    return connection


def run_import(stack: RunningStack) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / "cx", "import", TWEETS, "--map", MAPPING]
    done = subprocess.run(command, env=stack.environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done


def counted(marts: psycopg.Connection[Any], query: str) -> dict[str, int]:
    return dict(marts.execute(query.encode()).fetchall())


def test_sentiments_agree_with_the_file(marts: psycopg.Connection[Any], last_rows: list[dict[str, str]]) -> None:
    """Tickets per sentiment are the newest labels of the file."""
    expected = Counter(row["airline_sentiment"] for row in last_rows)

    assert expected == counted(
        marts, "select sentiment, count(*) from marts.fct_ticket_signals where source_system = 'twitter' group by 1"
    )


def test_airlines_agree_with_the_file(marts: psycopg.Connection[Any], last_rows: list[dict[str, str]]) -> None:
    """Tickets per account are the tweets per airline."""
    expected = Counter(row["airline"] for row in last_rows)

    assert expected == counted(
        marts, "select account_id, count(*) from marts.fct_ticket_signals where source_system = 'twitter' group by 1"
    )


def test_reasons_agree_with_the_file(marts: psycopg.Connection[Any], last_rows: list[dict[str, str]]) -> None:
    """Tickets per raw tag are the tweets per complaint."""
    expected = Counter(row["negativereason"] for row in last_rows if row["negativereason"])

    assert expected == counted(
        marts,
        "select raw_tags[1], count(*) from marts.fct_ticket_signals"
        " where source_system = 'twitter' and cardinality(raw_tags) > 0 group by 1",
    )


def test_days_agree_with_the_file(marts: psycopg.Connection[Any], last_rows: list[dict[str, str]]) -> None:
    """Negative tickets per UTC day in the daily mart are the negative tweets per UTC day, though the file tells local times."""
    moments = (dt.datetime.strptime(row["tweet_created"], "%Y-%m-%d %H:%M:%S %z") for row in last_rows)
    days = [moment.astimezone(dt.UTC).date() for moment in moments]
    expected = Counter(str(day) for day, row in zip(days, last_rows, strict=True) if row["airline_sentiment"] == "negative")

    assert expected == counted(
        marts,
        "select signal_date::text, sum(negative_count)::int from marts.fct_driver_sentiment_daily"
        " where source_system = 'twitter' group by 1 having sum(negative_count) > 0",
    )


def test_every_driver_total_has_evidence(marts: psycopg.Connection[Any]) -> None:
    """No row of the daily mart stands without a link to a tweet."""
    rows = marts.execute(
        "select count(*) from marts.fct_driver_sentiment_daily where source_system = 'twitter'"
        " and worst_evidence_url not like 'https://twitter.com/%'"
    ).fetchone()

    assert rows == (0,)


def test_a_second_import_changes_nothing(stack: RunningStack, marts: psycopg.Connection[Any]) -> None:
    """Importing the same file again writes no row into the store."""
    with psycopg.connect(stack.store_url) as store:
        before = store.execute("select max(updated_at), count(*) from enrichment.ticket_signals").fetchone()
        run_import(stack)
        after = store.execute("select max(updated_at), count(*) from enrichment.ticket_signals").fetchone()

    assert before == after
