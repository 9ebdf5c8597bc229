"""Chooses what happens next. Pure: seeded randomness and the time are arguments, the memory is bounded."""

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from connectors.sample import people
from connectors.sample.catalogue import EVIDENCE, OWNERS, PLANS, SOURCE_SYSTEMS, TOPICS
from connectors.simulation.actions import (
    SHARES,
    Action,
    Delete,
    EditAccount,
    EditTag,
    Kind,
    Version,
    Write,
    with_sentiment,
)

REMEMBERED = 20_000  # tickets; older ones are left alone
OTHER_SENTIMENT = {"positive": "negative", "neutral": "positive", "negative": "neutral"}


class World:
    """What the enrichment product remembers: the newest two versions of recent tickets, and erased tickets.

    A broken version is not remembered: its ticket goes on from the version before, and tries its number again.

    Args:
        random: seeded; two worlds with equal seeds, runs and times choose the same actions.
        run: distinguishes ticket ids of one run from those of another.
    """

    def __init__(self, random: Random, run: str) -> None:
        self._random, self._run, self._made = random, run, 0
        self._accounts = people.accounts()
        self._tickets: list[list[Version]] = []  # [newest] or [older, newest]
        self._erased: list[Version] = []

    def next(self, now: datetime) -> Action:
        """The next action at `now`; always one, and never one that its ticket's history forbids."""
        kind = self._random.choices(list(SHARES), list(SHARES.values()))[0]
        if kind is Kind.TAXONOMY:
            return self._edit_tag()
        if kind is Kind.ACCOUNT:
            return self._edit_account()
        if kind is Kind.RE_CREATION and self._erased:
            return self._re_create(now)
        if kind in (Kind.NEW, Kind.RE_CREATION) or not self._tickets:
            return Write(Kind.NEW, self._remember(self._new_ticket(now)))
        return self._with_ticket(kind, self._random.randrange(len(self._tickets)), now)

    def _with_ticket(self, kind: Kind, at: int, now: datetime) -> Action:
        versions = self._tickets[at]
        newest = versions[-1]
        match kind:
            case Kind.DELETE:
                return self._delete(at)
            case Kind.DUPLICATE:
                return Write(kind, newest)
            case Kind.LATE if len(versions) == 2:
                return Write(kind, versions[0])
            case Kind.CONFLICT:
                return Write(kind, with_sentiment(newest, OTHER_SENTIMENT[newest.opinion.sentiment]))
            case Kind.BROKEN:
                return Write(kind, self._broken(self._next_version(newest, now)))
        self._tickets[at] = [newest, self._next_version(newest, now)]
        return Write(Kind.RE_ENRICHMENT, self._tickets[at][-1])

    def _new_ticket(self, now: datetime) -> Version:
        self._made += 1
        source, ticket_id = people.weighted(self._random, SOURCE_SYSTEMS), f"{self._run}-{self._made}"
        return Version(
            source_system=source,
            ticket_id=ticket_id,
            version=1,
            occurred_at=now - timedelta(seconds=round(self._random.expovariate(1 / 600), 3)),
            account_id=self._random.choice(self._accounts).account_id,
            opinion=people.opinion(self._random, people.topic(self._random)),
            evidence_url=EVIDENCE[source].format(ticket_id=ticket_id),
        )

    def _next_version(self, newest: Version, now: datetime) -> Version:
        opinion = people.opinion(self._random, people.topic(self._random))
        return replace(newest, version=newest.version + 1, occurred_at=now, opinion=opinion)

    def _broken(self, version: Version) -> Version:
        if self._random.random() < 0.5:
            return with_sentiment(version, "furious")
        return replace(version, evidence_url=None)

    def _remember(self, version: Version) -> Version:
        if len(self._tickets) < REMEMBERED:
            self._tickets.append([version])
        else:
            self._tickets[self._random.randrange(REMEMBERED)] = [version]
        return version

    def _delete(self, at: int) -> Delete:
        self._tickets[at], self._tickets[-1] = self._tickets[-1], self._tickets[at]
        erased = self._tickets.pop()[-1]
        self._erased = [*self._erased[-999:], erased]
        return Delete(Kind.DELETE, erased.identity)

    def _re_create(self, now: datetime) -> Write:
        erased = self._erased.pop(self._random.randrange(len(self._erased)))
        return Write(Kind.RE_CREATION, self._remember(replace(self._next_version(erased, now), version=1)))

    def _edit_tag(self) -> EditTag:
        topic = people.topic(self._random)
        driver = topic.driver if self._random.random() < 0.8 else self._random.choice(TOPICS).driver
        return EditTag(Kind.TAXONOMY, (self._random.choice(topic.raw_tags), topic.canonical_tag, driver, topic.owner))

    def _edit_account(self) -> EditAccount:
        at = self._random.randrange(len(self._accounts))
        edited = replace(self._accounts[at], plan=people.weighted(self._random, PLANS), owner=self._random.choice(OWNERS))
        self._accounts[at] = edited
        return EditAccount(Kind.ACCOUNT, edited)
