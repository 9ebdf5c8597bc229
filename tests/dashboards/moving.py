"""Marts that move as a publish moves them, every two seconds to the beat, or half of it: for tests that look meanwhile."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

TAKEN = 20  # tickets that go and come back
BEAT_SECONDS = 2.0
CHOOSE = f"""
create temp table taken as select * from marts.fct_ticket_signals order by ticket_key limit {TAKEN};
create temp table taken_evidence as
select evidence.* from marts.fct_evidence as evidence inner join taken using (source_system, ticket_id);
create temp table day as
select driver, signal_date, source_system from marts.fct_driver_sentiment_daily order by signal_count desc limit 1;
create temp table week as select driver, week_start_date from marts.rpt_driver_weekly order by signal_count desc limit 1;
"""
# The first statement of each is what half a publish would have done.
OUT = (
    "delete from marts.fct_ticket_signals where ticket_key in (select ticket_key from taken)",
    "delete from marts.fct_evidence where (source_system, ticket_id) in (select source_system, ticket_id from taken)",
    f"update marts.fct_driver_sentiment_daily set signal_count = signal_count - {TAKEN} from day"
    " where (fct_driver_sentiment_daily.driver, fct_driver_sentiment_daily.signal_date, fct_driver_sentiment_daily.source_system)"
    " = (day.driver, day.signal_date, day.source_system)",
    f"update marts.rpt_driver_weekly set signal_count = signal_count - {TAKEN} from week"
    " where (rpt_driver_weekly.driver, rpt_driver_weekly.week_start_date) = (week.driver, week.week_start_date)",
)
IN = (
    "insert into marts.fct_ticket_signals select * from taken",
    "insert into marts.fct_evidence select * from taken_evidence",
    OUT[2].replace("signal_count -", "signal_count +"),
    OUT[3].replace("signal_count -", "signal_count +"),
)


def execute(connection: psycopg.Connection, statements: tuple[str, ...]) -> None:
    """The statements, in one transaction."""
    with connection.transaction():
        for statement in statements:
            connection.execute(statement.encode())


@contextmanager
def whole_publishes(warehouse_url: str) -> Iterator[list[int]]:
    """Every two seconds all marts lose the tickets, or get them back, in one transaction. Yields the beats so far."""
    beats, over = list[int](), threading.Event()
    with psycopg.connect(warehouse_url, autocommit=True) as connection:
        connection.execute(CHOOSE)

        def play() -> None:
            while not over.wait(BEAT_SECONDS) or len(beats) % 2:
                execute(connection, IN if len(beats) % 2 else OUT)
                beats.append(len(beats) + 1)

        player = threading.Thread(target=play)
        player.start()
        try:
            yield beats
        finally:
            over.set()
            player.join()


@contextmanager
def half_a_publish(warehouse_url: str) -> Iterator[None]:
    """One mart has lost the tickets, the others have not."""
    with psycopg.connect(warehouse_url, autocommit=True) as connection:
        connection.execute(CHOOSE)
        execute(connection, OUT[:1])
        try:
            yield
        finally:
            execute(connection, IN[:1])
