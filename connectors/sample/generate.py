"""Writes the sample files that ship: `python -m connectors.sample.generate`. Deterministic: the same seed, the same bytes.

Times are ages: seconds before the moment of the import, so that the demo always shows the last days.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

from connectors.sample import people
from connectors.sample.catalogue import EVIDENCE, SOURCE_SYSTEMS, TOPICS
from connectors.sample.people import Account, Opinion

HERE = Path(__file__).resolve().parent
SEED, TICKETS = 20261124, 3000
DAY = 86400
DAYS = 14  # of tickets before the import

COLUMNS = (
    "source", "ticket", "version", "age_seconds", "account", "sentiment", "score", "churn", "effort", "tags",
    "confidence", "reply_minutes", "url", "quote", "key",
)  # fmt: skip

# Shares of tickets with each kind of trouble.
REENRICHED, REPEATED, LATE = 0.14, 0.03, 0.02

Cells = dict[str, str]


def rows(random: Random, tickets: int) -> Iterator[Cells]:
    """Every row of the sample, in the order of the file: oldest first, then what arrives late or broken."""
    accounts = people.accounts()
    ages = sorted((int(DAYS * DAY * random.random() ** 1.4) + 60 for _ in range(tickets)), reverse=True)
    late: list[Cells] = []
    for number, age in enumerate(ages, start=1):
        history = list(_history(random, number, age, random.choice(accounts)))
        if random.random() < LATE:
            late.extend(history)
        else:
            yield from history
    yield from late
    yield from _broken(random, accounts)


def _history(random: Random, number: int, age: int, account: Account) -> Iterator[Cells]:
    """The versions of one ticket; now and then one is delivered twice."""
    source, about = people.weighted(random, SOURCE_SYSTEMS), people.topic(random)
    versions = 1 + (random.random() < REENRICHED) + (random.random() < REENRICHED / 4)
    for version in range(1, versions + 1):
        row = cells(source, f"{100000 + number}", version, age, account, people.opinion(random, about))
        yield row
        if random.random() < REPEATED:
            yield row


def cells(  # noqa: PLR0917 - the order of a sentence
    source: str, ticket: str, version: int, age: int, account: Account, said: Opinion
) -> Cells:
    """One row as text."""
    return {
        "source": source,
        "ticket": ticket,
        "version": str(version),
        "age_seconds": str(age),
        "account": account.account_id,
        "sentiment": said.sentiment,
        "score": f"{said.sentiment_score:.2f}",
        "churn": said.churn_risk,
        "effort": said.effort,
        "tags": json.dumps(list(said.raw_tags))[2:-2],
        "confidence": f"{said.confidence:.3f}",
        "reply_minutes": str(said.reply_minutes),
        "url": EVIDENCE[source].format(ticket_id=ticket),
        "quote": said.quote,
        "key": f"{source}:{ticket}:{version}",
    }


def _broken(random: Random, accounts: list[Account]) -> Iterator[Cells]:
    """Rows with one thing wrong each. The import rejects the first three kinds; the stream dead-letters the others."""
    wrongs: list[Cells] = [
        {"age_seconds": "yesterday"},
        {"ticket": ""},
        {"score": "very bad"},
        {"sentiment": "furious"},
        {"churn": "certain"},
        {"effort": "HIGH!"},
        {"url": ""},
        {"url": "see call recording"},
    ]
    for number, wrong in enumerate(wrongs * 3, start=1):
        source = people.weighted(random, SOURCE_SYSTEMS)
        row = cells(
            source, f"{900000 + number}", 1, 3600 * number, random.choice(accounts), people.opinion(random, people.topic(random))
        )
        yield {**row, **wrong}
    yield from _reused_keys(random, accounts)


def _reused_keys(random: Random, accounts: list[Account]) -> Iterator[Cells]:
    """A worker that raises the version but forgets to change the key: a conflict for the stream."""
    for number in range(950001, 950004):
        account, about = random.choice(accounts), people.topic(random)
        first = cells("intercom", str(number), 1, 7200, account, people.opinion(random, about))
        second = cells("intercom", str(number), 2, 7200, account, people.opinion(random, about))
        yield first
        yield {**second, "quote": f"{second['quote']} (again)", "key": first["key"]}


def write(directory: Path = HERE) -> None:
    """Write tickets.csv, taxonomy.csv and accounts.csv."""
    _write(directory / "tickets.csv", COLUMNS, (row.values() for row in rows(Random(SEED), TICKETS)))  # noqa: S311
    taxonomy = sorted((raw, topic.canonical_tag, topic.driver, topic.owner) for topic in TOPICS for raw in topic.raw_tags)
    _write(directory / "taxonomy.csv", ("raw_tag", "canonical_tag", "driver", "owner"), taxonomy)
    accounts = ((each.account_id, each.name, each.plan, each.segment, each.owner) for each in people.accounts())
    _write(directory / "accounts.csv", ("account_id", "name", "plan", "segment", "owner"), accounts)


def _write(path: Path, header: Iterable[str], lines: Iterable[Iterable[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)


if __name__ == "__main__":
    write()
