"""Accounts and signals of the made-up company, drawn from the catalogue. Pure: the randomness is an argument."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from connectors.sample.catalogue import COMPANIES, MONTHS, OWNERS, PLANS, SEGMENTS, TOPICS, UNKNOWN_RAW_TAGS, Topic

UNKNOWN_TAG_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Account:
    """One row of enrichment.accounts."""

    account_id: str
    name: str
    plan: str
    segment: str
    owner: str


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one enrichment says about one ticket."""

    sentiment: str
    sentiment_score: float  # -1 to 1
    churn_risk: str
    effort: str
    raw_tags: tuple[str, ...]
    canonical_tag: str | None
    driver: str | None
    quote: str
    confidence: float
    reply_minutes: int


def accounts() -> list[Account]:
    """The forty accounts, the same on every call."""
    random = Random(40)  # noqa: S311 - made-up data
    plans = (weighted(random, PLANS) for _ in COMPANIES)
    return [
        Account(f"acc-{number:03d}", name, plan, SEGMENTS[plan], random.choice(OWNERS))
        for number, (name, plan) in enumerate(zip(COMPANIES, plans, strict=True), start=1)
    ]


def weighted(random: Random, weights: Mapping[str, int]) -> str:
    """One key, drawn by its weight."""
    return random.choices(list(weights), list(weights.values()))[0]


def topic(random: Random) -> Topic:
    """One topic, drawn by its weight."""
    return random.choices(TOPICS, [each.weight for each in TOPICS])[0]


def opinion(random: Random, about: Topic) -> Opinion:
    """What an enrichment says about a ticket on this topic."""
    sentiment = random.choices(
        ("negative", "positive", "neutral"), (about.unhappy, about.happy, 1 - about.unhappy - about.happy)
    )[0]
    known = random.random() >= UNKNOWN_TAG_SHARE
    return Opinion(
        sentiment=sentiment,
        sentiment_score=_score(random, sentiment),
        churn_risk=_churn_risk(random, sentiment, about),
        effort=random.choices(("low", "medium", "high"), {"negative": (2, 4, 4)}.get(sentiment, (6, 3, 1)))[0],
        raw_tags=(random.choice(about.raw_tags if known else UNKNOWN_RAW_TAGS),),
        canonical_tag=about.canonical_tag if known else None,
        driver=about.driver if known else None,
        quote=_quote(random, about),
        confidence=round(random.uniform(0.55, 0.99), 3),
        reply_minutes=int(random.lognormvariate(4, 1.1)),
    )


def _score(random: Random, sentiment: str) -> float:
    low, high = {"negative": (-1.0, -0.25), "neutral": (-0.25, 0.25), "positive": (0.25, 1.0)}[sentiment]
    return round(random.uniform(low, high), 2)


def _churn_risk(random: Random, sentiment: str, about: Topic) -> str:
    if about.driver == "Cancellation":
        return "high"
    weights = {"negative": (1, 3, 4, 2), "neutral": (5, 4, 1, 0), "positive": (9, 1, 0, 0)}[sentiment]
    return random.choices(("none", "low", "medium", "high"), weights)[0]


def _quote(random: Random, about: Topic) -> str:
    count = random.randint(3, 30)
    return random.choice(about.quotes).format(month=random.choice(MONTHS), count=count, less=count - 2, more=count * 2)
