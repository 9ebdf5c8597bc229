"""The CRM upsert on a real warehouse against a server that answers as Salesforce does, judged by what that server applied."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry
from psycopg import AsyncConnection

from connectors.outbound.crm import memory, sender
from connectors.outbound.crm.answers import Pause
from connectors.outbound.crm.api import Api
from connectors.outbound.crm.configuration import Crm, Token
from connectors.outbound.crm.flags import CLEARED, Heard
from connectors.outbound.crm.metrics import Metrics
from ops.outbound import listing
from tests.fakes import crm as fake_crm
from tests.fakes.crm import FakeCrm

FIELDS = dict(zip(("churn_risk", "ticket", "driver", "evidence_url", "idempotency_key", "version"), fake_crm.FIELDS, strict=True))
EMPTY = dict.fromkeys(fake_crm.FIELDS)


@pytest.fixture
def crm() -> Iterator[FakeCrm]:
    """A fresh, empty CRM."""
    with fake_crm.running() as running:
        yield running


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses are written down instead of waited out."""
    asked: list[float] = []

    def short(pause: Pause) -> Pause:
        asked.append(pause.seconds)
        return pause._replace(seconds=min(pause.seconds, 0.01))

    for name in ("pause", "unanswered"):
        original = getattr(sender, name)
        monkeypatch.setattr(sender, name, lambda *args, original=original: short(original(*args)))
    monkeypatch.setattr(sender, "retry_seconds", lambda attempts: 0.0)
    return asked


def ticket(name: str, sequence: int, account: str = "acme", risk: str = "high", version: int = 1) -> Heard:
    key = f"{name}:{version}"
    return Heard("zendesk", name, f"{sequence:04d}", account, risk, "Billing", f"https://e.example.com/{name}", key, version)


def gone(name: str, sequence: int) -> Heard:
    return Heard("zendesk", name, f"{sequence:04d}")


def tell(url: str, crm: FakeCrm, heard: Sequence[Heard], *, settle: float = 300.0, until: Any = None, batch: int = 200) -> None:
    """Take records in, and run the sender until nothing is due and `until` holds."""
    token = Token(f"{crm.address}/services/oauth2/token", "id", fake_crm.SECRET)
    configured = Crm(crm.address, "v62.0", "Account", fake_crm.EXTERNAL_ID, FIELDS, token, batch, 5.0, settle)

    async def run() -> None:
        async with (
            await AsyncConnection.connect(url, autocommit=True) as one,
            await AsyncConnection.connect(url, autocommit=True) as other,
        ):
            if heard:
                await memory.hear(one, heard)
            stop, api = asyncio.Event(), Api(configured)
            own = sender.Sender(configured, api, Metrics(CollectorRegistry()))
            sending = asyncio.create_task(own.run(other, stop))
            deadline = time.monotonic() + 20
            while sending.done() is False and ((await memory.waiting(one))[0] or (until and not until())):
                assert time.monotonic() < deadline, "still waiting after 20 s"
                await asyncio.sleep(0.02)
            stop.set()
            own.woken.set()
            await sending
            await api.close()

    asyncio.run(run())


def states(url: str) -> dict[str, tuple[str, str | None]]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("select account_id, state, last_error from ops.crm_accounts").fetchall()
    return {account: (state, error) for account, state, error in rows}


def test_flags_reach_the_crm_in_batches(crm: FakeCrm, warehouse_url: str) -> None:
    """Each account gets the flags of its worst ticket, in collections of at most 200."""
    tickets = [ticket(f"t{n}", 1, f"account-{n}") for n in range(450)]
    tell(warehouse_url, crm, [*tickets, ticket("calm", 1, "account-0", "low")])

    assert (crm.requests, crm.logins, len(crm.accounts)) == ([200, 200, 50], 1, 450)
    assert crm.accounts["account-0"] == dict(
        zip(fake_crm.FIELDS, ("high", "zendesk/t0", "Billing", "https://e.example.com/t0", "t0:1", 1), strict=True)
    )


def test_a_repeat_is_not_sent_and_an_older_version_changes_nothing(crm: FakeCrm, warehouse_url: str) -> None:
    """What was heard before, or is older than what was heard, makes no request."""
    tell(warehouse_url, crm, [ticket("t1", 5, version=2)])
    tell(warehouse_url, crm, [ticket("t1", 5, version=2)])
    tell(warehouse_url, crm, [ticket("t1", 4, risk="low", version=1)])

    assert [fields["Version__c"] for _, fields in crm.log] == [2]


def test_a_delete_hands_the_flags_to_the_next_ticket_and_then_clears_them(crm: FakeCrm, warehouse_url: str) -> None:
    """Flags follow the living tickets; without one they are emptied, and a late record of the dead one revives nothing."""
    tell(warehouse_url, crm, [ticket("t1", 1, risk="high"), ticket("t2", 2, risk="medium")])
    tell(warehouse_url, crm, [gone("t1", 3)])
    assert crm.accounts["acme"]["Ticket__c"] == "zendesk/t2"
    tell(warehouse_url, crm, [gone("t2", 4)])
    tell(warehouse_url, crm, [ticket("t2", 2, risk="medium")])

    assert crm.accounts["acme"] == EMPTY
    with psycopg.connect(warehouse_url) as connection:
        assert connection.execute("select wanted from ops.crm_accounts").fetchall() == [(CLEARED,)]
        kept = "select count(*) from ops.crm_tickets where account_id is null and driver is null and evidence_url is null"
        assert connection.execute(kept).fetchone() == (2,)


def test_a_ticket_that_changes_its_account_takes_its_flags_along(crm: FakeCrm, warehouse_url: str) -> None:
    """The old account is emptied and the new one flagged."""
    tell(warehouse_url, crm, [ticket("t1", 1, "old")])
    tell(warehouse_url, crm, [ticket("t1", 2, "new")])

    assert (crm.accounts["old"], crm.accounts["new"]["Ticket__c"]) == (EMPTY, "zendesk/t1")


def test_one_bad_record_of_a_batch_spoils_no_other(crm: FakeCrm, warehouse_url: str) -> None:
    """A locked row is sent again by itself; a refused one is set aside with the CRM's words until it says something new."""
    crm.locked["account-1"] = 2
    crm.refused.add("account-2")
    tell(warehouse_url, crm, [ticket(f"t{n}", 1, f"account-{n}") for n in range(5)], batch=3)

    assert crm.requests == [3, 2, 1, 1], "the locked one waits until the others are through, and then goes alone"
    assert sorted(crm.accounts) == ["account-0", "account-1", "account-3", "account-4"]
    assert states(warehouse_url)["account-2"] == ("refused", "FIELD_CUSTOM_VALIDATION_EXCEPTION this account is closed")
    assert [one["account_id"] for one in listing.refused(warehouse_url, retry=True)] == ["account-2"]
    tell(warehouse_url, crm, [])
    assert crm.requests[4:] == [1], "cx outbound crm --retry has it sent again"
    crm.refused.clear()
    tell(warehouse_url, crm, [ticket("t2", 2, "account-2", version=2)])
    assert crm.accounts["account-2"]["Version__c"] == 2


def test_limits_outages_and_expired_tokens_are_waited_out(crm: FakeCrm, warehouse_url: str, impatient: list[float]) -> None:
    """Limits, busy answers and dropped connections cost time only; a token that is over is renewed at once."""
    tell(warehouse_url, crm, [ticket("t0", 1, "first")])
    impatient.clear()
    crm.script = [fake_crm.EXPIRED, fake_crm.LIMIT, fake_crm.LIMIT, fake_crm.RATE, fake_crm.BUSY, fake_crm.LOST_UNREAD]
    tell(warehouse_url, crm, [ticket("t1", 1), ticket("t2", 1, "other")])

    assert {account: fields["Ticket__c"][-2:] for account, fields in crm.accounts.items()} == {
        "first": "t0",
        "acme": "t1",
        "other": "t2",
    }
    assert (crm.logins, impatient[1:3], len(crm.log)) == (3, [60.0, 120.0], 3)
    with psycopg.connect(warehouse_url) as connection:
        told = connection.execute(
            "select state from ops.alert_outbox where fingerprint = 'outbound:crm' order by alert_id"
        ).fetchall()
    assert [state for (state,) in told][-2:] == ["firing", "ok"]


def test_an_answer_that_got_lost_is_asked_for_again(crm: FakeCrm, warehouse_url: str) -> None:
    """What the CRM applied without saying so is sent again with the same values, once at once and once when all has settled."""
    crm.script = [fake_crm.LOST]
    tell(warehouse_url, crm, [ticket("t1", 1)], settle=0.3, until=lambda: len(crm.log) == 3)

    assert len({tuple(fields.values()) for _, fields in crm.log}) == 1
    tell(warehouse_url, crm, [])
    assert len(crm.log) == 3


def test_an_old_request_that_arrives_late_does_not_stand(crm: FakeCrm, warehouse_url: str) -> None:
    """A request without an answer that the CRM works off after a newer one is put right when all has settled."""
    crm.script = [fake_crm.LATE]
    tell(warehouse_url, crm, [ticket("t1", 1, risk="high")], settle=1.0)
    tell(warehouse_url, crm, [ticket("t1", 2, risk="low", version=2)], settle=1.0)
    crm.apply_late()
    assert crm.accounts["acme"]["Risk__c"] == "high"
    tell(warehouse_url, crm, [], settle=1.0, until=lambda: crm.accounts["acme"]["Risk__c"] == "low")

    assert crm.accounts["acme"]["Version__c"] == 2
