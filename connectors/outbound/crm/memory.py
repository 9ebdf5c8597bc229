"""ops.crm_tickets and ops.crm_accounts: what the topic said, what the CRM should hold, what it was sent."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from connectors.outbound.crm.flags import CLEARED, RISKS, Flags, Heard

LOCK = 5_270_115  # any constant; one process at a time tells the CRM
APPLICATION_NAME = "cx outbound crm"

# A record whose sequence is not greater has no effect: repeats, replays and old versions end here.
HEAR = """
with given as (
    select * from jsonb_to_recordset(%s::jsonb) as given (
        source_system text, ticket_id text, sequence text, account_id text, churn_risk text,
        driver text, evidence_url text, idempotency_key text, version bigint
    )
),

before as (
    select known.account_id from ops.crm_tickets as known inner join given using (source_system, ticket_id)
),

written as (
    insert into ops.crm_tickets as known (
        source_system, ticket_id, sequence, account_id, churn_risk, driver, evidence_url, idempotency_key, version
    )
    select * from given
    on conflict (source_system, ticket_id) do update set
        sequence = excluded.sequence, account_id = excluded.account_id, churn_risk = excluded.churn_risk,
        driver = excluded.driver, evidence_url = excluded.evidence_url,
        idempotency_key = excluded.idempotency_key, version = excluded.version
    where excluded.sequence collate "C" > known.sequence collate "C"
    returning known.account_id
)

select account_id from before where account_id is not null
union
select account_id from written where account_id is not null
"""

WANT = """
with asked as (
    select unnest(%(accounts)s::text[]) as account_id
),

worst as (
    select distinct on (account_id)
        account_id,
        jsonb_build_object(
            'churn_risk', churn_risk, 'ticket', source_system || '/' || ticket_id, 'driver', driver,
            'evidence_url', evidence_url, 'idempotency_key', idempotency_key, 'version', version
        ) as flags
    from ops.crm_tickets
    where account_id = any(%(accounts)s)
    order by account_id, array_position(%(risks)s::text[], churn_risk) desc, sequence collate "C" desc
)

insert into ops.crm_accounts as known (account_id, wanted)
select asked.account_id, coalesce(worst.flags, %(cleared)s::jsonb)
from asked
left join worst using (account_id)
where worst.flags is not null or exists (select from ops.crm_accounts as told where told.account_id = asked.account_id)
on conflict (account_id) do update set
    wanted = excluded.wanted,
    state = case when known.sent = excluded.wanted then 'sent' else 'waiting' end,
    attempts = 0, due_at = clock_timestamp(), last_error = null, changed_at = clock_timestamp()
where known.wanted <> excluded.wanted
"""

# What is taken counts as not sent until an answer says that it was: a crash in between sends it again.
TAKE = """
with due as (
    select account_id, case when confirm_at > clock_timestamp() then confirm_at end as still_to_confirm
    from ops.crm_accounts
    where ((state = 'waiting' and due_at <= clock_timestamp()) or confirm_at <= clock_timestamp())
        and (not %(alone)s or account_id = any(%(names)s)) and (%(alone)s or account_id <> all(%(names)s))
    order by due_at
    limit %(most)s
)

update ops.crm_accounts as account set
    sent = null, state = 'waiting', attempts = account.attempts + 1,
    confirm_at = clock_timestamp() + make_interval(secs => %(settle)s)
from due
where account.account_id = due.account_id
returning account.account_id, account.wanted, account.attempts, due.still_to_confirm
"""

NOTE = """
update ops.crm_accounts as account set
    sent = case when given.applied then given.tried end,
    sent_at = case when given.applied then clock_timestamp() else account.sent_at end,
    state = case
        when account.wanted <> given.tried then 'waiting'
        when given.applied then 'sent'
        when given.refused then 'refused'
        else 'waiting'
    end,
    attempts = case when given.applied then 0 else account.attempts end,
    due_at = clock_timestamp() + make_interval(secs => given.wait),
    confirm_at = case when given.in_doubt then account.confirm_at else given.still_to_confirm end,
    last_error = given.error
from jsonb_to_recordset(%s::jsonb) as given (
    account_id text, tried jsonb, applied boolean, refused boolean, in_doubt boolean, wait float8,
    still_to_confirm timestamptz, error text
)
where account.account_id = given.account_id
"""

RETRY = "update ops.crm_accounts set state = 'waiting', due_at = clock_timestamp(), attempts = 0 where state = 'refused'"


class Due(NamedTuple):
    """An account whose flags are to be sent."""

    account_id: str
    wanted: Flags
    attempts: int
    still_to_confirm: Any


class Noted(NamedTuple):
    """What became of one record."""

    due: Due
    applied: bool = False
    refused: bool = False
    in_doubt: bool = False
    wait: float = 0.0
    error: str | None = None


async def hear(connection: AsyncConnection[Any], heard: Sequence[Heard]) -> int:
    """Take records in and say what each account touched should now show, in one transaction; how many accounts."""
    async with connection.transaction():
        cursor = await connection.execute(HEAR, [json.dumps([one._asdict() for one in heard])])
        accounts = sorted(account for (account,) in await cursor.fetchall())
        if accounts:
            await connection.execute(WANT, {"accounts": accounts, "risks": list(RISKS), "cleared": json.dumps(CLEARED)})
    return len(accounts)


async def take(
    connection: AsyncConnection[Any], most: int, settle_seconds: float, names: Iterable[str], alone: bool
) -> list[Due]:
    """Accounts that are due: all but `names`, or with `alone` only those."""
    asked = {"most": most, "settle": settle_seconds, "names": sorted(names), "alone": alone}
    rows = await (await connection.execute(TAKE, asked)).fetchall()
    return [Due(*row) for row in rows]


async def note(connection: AsyncConnection[Any], noted: Iterable[Noted]) -> None:
    """Write down what became of records."""
    rows = [
        {
            **one._asdict(),
            "account_id": one.due.account_id,
            "tried": one.due.wanted,
            "still_to_confirm": one.due.still_to_confirm and one.due.still_to_confirm.isoformat(),
        }
        for one in noted
    ]
    for row in rows:
        del row["due"]
    await connection.execute(NOTE, [json.dumps(rows)])


async def waiting(connection: AsyncConnection[Any]) -> tuple[int, int]:
    """Accounts that wait, and accounts that were refused."""
    row = await (
        await connection.execute(
            "select count(*) filter (where state = 'waiting'), count(*) filter (where state = 'refused') from ops.crm_accounts"
        )
    ).fetchone()
    return (row[0], row[1]) if row else (0, 0)


ALERT = """
insert into ops.alert_outbox (fingerprint, state, severity, owner, summary, details)
values (%s, %s, 'warning', 'data-platform', %s, %s::jsonb)
"""


async def alert(connection: AsyncConnection[Any], fingerprint: str, state: str, summary: str, remedy: str) -> None:
    """Tell people that something is so, or (state ok) that it is over."""
    details = {"remedy": remedy, "runbook": "systems-of-action"} if remedy else {}
    await connection.execute(ALERT, [fingerprint, state, summary, json.dumps(details)])
