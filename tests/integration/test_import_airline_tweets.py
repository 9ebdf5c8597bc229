"""Real input: 14,640 labelled tweets about airlines, which are not part of the project."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from ops.cli import cx
from ops.settings import PROJECT_DIRECTORY

TWEETS = PROJECT_DIRECTORY.parent / "shared" / "data" / "airline_tweets" / "Tweets.csv"

pytestmark = pytest.mark.skipif(not TWEETS.exists(), reason=f"THE AIRLINE TWEETS ARE NOT HERE ({TWEETS}): real input not tested")


@pytest.fixture
def store(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CX_STORE_URL", store_url)
    with psycopg.connect(store_url, autocommit=True) as connection:
        yield connection


def load() -> dict[str, int]:
    result = CliRunner().invoke(cx, ["import", str(TWEETS), "--map", "airline_tweets", "--json"])
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    return {key: report[key] for key in ("read", "written", "rejected", "accounts_written")}


def last_rows() -> list[dict[str, str]]:
    with TWEETS.open(encoding="utf-8", newline="") as file:
        return list({row["tweet_id"]: row for row in csv.DictReader(file)}.values())


def test_all_tweets_import_once(store: psycopg.Connection) -> None:
    """14,640 rows are written, the 155 repeated tweets end at version 2, and a second import changes nothing."""
    assert load() == {"read": 14640, "written": 14640, "rejected": 0, "accounts_written": 6}
    versions = store.execute("select version, count(*) from enrichment.ticket_signals group by 1 order by 1").fetchall()
    assert versions == [(1, 14330), (2, 155)]
    assert load()["written"] == 0


def test_the_store_counts_as_the_file_does(store: psycopg.Connection) -> None:
    """By sentiment, airline, reason, text and UTC day the store holds what the last row of each tweet says."""
    load()
    rows = last_rows()
    columns = {
        "sentiment": "airline_sentiment",
        "account_id": "airline",
        "raw_tags[1]": "negativereason",
        "evidence_quote": "text",
    }
    for stored, column in columns.items():
        query = f"select coalesce({stored}, ''), count(*) from enrichment.ticket_signals group by 1"
        assert dict(store.execute(query).fetchall()) == Counter(row[column] for row in rows)  # type: ignore[call-overload]
    days = Counter(_utc_day(row["tweet_created"]) for row in rows)
    query = "select (occurred_at at time zone 'UTC')::date::text, count(*) from enrichment.ticket_signals group by 1"
    assert dict(store.execute(query).fetchall()) == days


def _utc_day(created: str) -> str:
    return datetime.strptime(created, "%Y-%m-%d %H:%M:%S %z").astimezone(UTC).date().isoformat()
