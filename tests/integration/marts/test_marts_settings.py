"""What an engineer sets, and what the marts then say: the sample landing, another zone, the hops and minutes of the pipeline."""

import subprocess
import sys
from datetime import date
from pathlib import Path

from tests.integration.marts.history import History
from tests.integration.marts.warehouse import DBT_PROJECT, Warehouse, environment


def test_the_sample_landing_builds_and_passes_every_test_alone(warehouse: Warehouse) -> None:
    """`dbt build --target ci` makes landing from the seeds, builds every model and runs every test, without the pipeline."""
    dbt = [Path(sys.executable).parent / "dbt", "build", "--target", "ci", "--no-use-colors"]
    scratch = ["--target-path", warehouse.scratch / "ci", "--log-path", warehouse.scratch / "ci"]

    with environment(warehouse.url):
        done = subprocess.run([*dbt, *scratch], cwd=DBT_PROJECT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-3000:]
    assert warehouse.rows("select count(*) > 0 from dbt_ci.fct_ticket_signals") == [(True,)]


def test_another_zone_moves_tickets_to_its_days(warehouse: Warehouse) -> None:
    """A changed zone recounts every day when the publisher starts with it, with no full refresh asked for."""
    history = History(warehouse.connection, seed=1)
    late_evening = history.version(("zendesk", "T1"), 1) | {"occurred_at": "2026-11-02 23:30:00+00"}
    history.land(late_evening)
    days = "select signal_date from build.fct_driver_sentiment_daily"

    warehouse.build()
    in_utc = warehouse.rows(days)
    warehouse.build("--selector", "all", variables='{"timezone": "Asia/Tokyo"}')
    in_tokyo = warehouse.rows(days)

    assert (in_utc, in_tokyo) == ([(date(2026, 11, 2),)], [(date(2026, 11, 3),)])


def test_hops_are_the_differences_between_their_moments(warehouse: Warehouse) -> None:
    """Seconds from store to Kafka, to landing and to the first publication that saw the version."""
    history = History(warehouse.connection, seed=1)
    moments = {"store_committed_at": "10:00:00+00", "captured_at": "10:00:02+00", "landed_at": "10:00:03+00"}
    version = history.version(("zendesk", "T1"), 1)
    history.land(version | {name: f"2026-11-02 {moment}" for name, moment in moments.items()})

    warehouse.build()
    warehouse.publish()
    warehouse.connection.execute("update marts.publications set at = '2026-11-02 10:00:08+00'")
    warehouse.build("--full-refresh")

    hops = dict(warehouse.rows("select hop, p95_seconds::float from build.fct_pipeline_latency where hop <> 'occurred_to_store'"))
    assert hops == {"store_to_kafka": 2, "kafka_to_landing": 1, "landing_to_published": 5, "store_to_published": 8}


def test_a_minute_is_counted_again_only_when_something_in_it_differs(warehouse: Warehouse) -> None:
    """A ticket's next version brings its own minute, not those of its older versions: they may hold a million others."""
    history = History(warehouse.connection, seed=1)
    for version, landed_at in enumerate(("2026-11-02 10:00:30+00", "2026-11-02 11:30:00+00"), start=1):
        with warehouse.connection.transaction():
            history.land(history.version(("zendesk", "T1"), version) | {"landed_at": landed_at})
        for _ in range(2):  # the second publishes that the first was published
            warehouse.build()
            warehouse.publish()
            touched = warehouse.rows("select to_char(landed_minute at time zone 'UTC', 'HH24:MI') from build.touched_minutes")

            assert touched == [({1: "10:00", 2: "11:30"}[version],)]
