"""Writes actions into the enrichment store, in order, one transaction per batch, pipelined."""

import json
import uuid
from collections.abc import Iterable
from decimal import Decimal
from typing import LiteralString

import psycopg

from connectors.simulation.actions import Action, Delete, EditAccount, EditTag, Version, Write

UPSERT_SIGNAL: LiteralString = """
insert into enrichment.ticket_signals (
    event_id, occurred_at, source_system, ticket_id, account_id, sentiment, sentiment_score, churn_risk, effort, raw_tags,
    canonical_tag, driver, custom_metrics, evidence_url, evidence_quote, idempotency_key, version
) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
on conflict (source_system, ticket_id) do update set
    event_id = excluded.event_id, occurred_at = excluded.occurred_at, account_id = excluded.account_id,
    sentiment = excluded.sentiment, sentiment_score = excluded.sentiment_score, churn_risk = excluded.churn_risk,
    effort = excluded.effort, raw_tags = excluded.raw_tags, canonical_tag = excluded.canonical_tag, driver = excluded.driver,
    custom_metrics = excluded.custom_metrics, evidence_url = excluded.evidence_url, evidence_quote = excluded.evidence_quote,
    idempotency_key = excluded.idempotency_key, version = excluded.version, updated_at = clock_timestamp()
"""
DELETE_SIGNAL: LiteralString = "delete from enrichment.ticket_signals where source_system = %s and ticket_id = %s"
UPSERT_TAG: LiteralString = """
insert into enrichment.tag_taxonomy (raw_tag, canonical_tag, driver, owner) values (%s, %s, %s, %s)
on conflict (raw_tag) do update set
    canonical_tag = excluded.canonical_tag, driver = excluded.driver, owner = excluded.owner, updated_at = clock_timestamp()
"""
UPSERT_ACCOUNT: LiteralString = """
insert into enrichment.accounts (account_id, name, plan, segment, owner) values (%s, %s, %s, %s, %s)
on conflict (account_id) do update set
    name = excluded.name, plan = excluded.plan, segment = excluded.segment, owner = excluded.owner,
    updated_at = clock_timestamp()
"""


class StoreUnavailable(Exception):
    """The enrichment store did not answer; the message is the driver's first line."""


class Writer:
    """One connection to the store at postgresql://…; raises StoreUnavailable."""

    def __init__(self, url: str) -> None:
        try:
            self._connection = psycopg.connect(url, connect_timeout=5, application_name="cx simulate")
        except psycopg.Error as error:
            raise StoreUnavailable(str(error).strip().splitlines()[0]) from None

    def write(self, actions: Iterable[Action]) -> None:
        """Apply the actions in their order, in one transaction."""
        try:
            with self._connection.transaction(), self._connection.pipeline(), self._connection.cursor() as cursor:
                for action in actions:
                    cursor.execute(*statement(action))
        except psycopg.Error as error:
            raise StoreUnavailable(str(error).strip().splitlines()[0]) from None

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def statement(action: Action) -> tuple[LiteralString, tuple[object, ...]]:
    """The SQL of an action and its parameters."""
    match action:
        case Write():
            return UPSERT_SIGNAL, row(action.version)
        case Delete():
            return DELETE_SIGNAL, action.identity
        case EditTag():
            return UPSERT_TAG, action.row
        case EditAccount(account=account):
            return UPSERT_ACCOUNT, (account.account_id, account.name, account.plan, account.segment, account.owner)


def row(version: Version) -> tuple[object, ...]:
    """The columns of UPSERT_SIGNAL."""
    said = version.opinion
    metrics = json.dumps({"confidence": said.confidence, "reply_minutes": said.reply_minutes})
    event_id = uuid.uuid5(uuid.NAMESPACE_URL, version.idempotency_key)
    return (
        event_id, version.occurred_at, version.source_system, version.ticket_id, version.account_id, said.sentiment,
        Decimal(str(said.sentiment_score)), said.churn_risk, said.effort, list(said.raw_tags), said.canonical_tag, said.driver,
        metrics, version.evidence_url, said.quote, version.idempotency_key, version.version,
    )  # fmt: skip
