"""From what accounts should show to the CRM: batches, single records, pauses. One request at a time."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from psycopg import AsyncConnection

from connectors.outbound.crm import memory
from connectors.outbound.crm.answers import Answer, Kind, Pause, judge, pause, retry_seconds, unanswered
from connectors.outbound.crm.api import Api, NoAnswer
from connectors.outbound.crm.configuration import Crm
from connectors.outbound.crm.memory import Due, Noted
from connectors.outbound.crm.metrics import Metrics

IDLE_SECONDS = 1.0
ALERT_AFTER_FAILURES = 3
REMEDY = "cx status shows what waits; the CRM's own set-up page and its limits say why."


class Sender:
    """Sends what is due until stopped. Outages of the CRM are waited out; psycopg.Error goes to the caller."""

    def __init__(self, crm: Crm, api: Api, metrics: Metrics, reached: Callable[[str], None] = lambda place: None) -> None:
        self._crm, self._api, self._metrics, self._reached = crm, api, metrics, reached
        self._alone: set[str] = set()  # accounts that are sent by themselves; forgotten by a restart, at no harm
        self._failures = 0
        self._renewed = False
        self._refused = 0
        self._told = True  # whoever ran before may have told of an outage: the first success ends it
        self.woken = asyncio.Event()

    async def run(self, connection: AsyncConnection[Any], stop: asyncio.Event) -> None:
        """Work until `stop` is set."""
        while not stop.is_set():
            due = await self._due(connection)
            if not due:
                await self._report(connection)
                await self._rest()
                continue
            rest = await self._send(connection, due)
            if rest.seconds:
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), rest.seconds)

    async def _due(self, connection: AsyncConnection[Any]) -> list[Due]:
        settle = self._crm.settle_seconds
        batch = await memory.take(connection, self._crm.batch, settle, self._alone, alone=False)
        if batch or not self._alone:
            return batch
        return await memory.take(connection, 1, settle, self._alone, alone=True)

    async def _send(self, connection: AsyncConnection[Any], due: Sequence[Due]) -> Pause:
        """One request, and what became of it written down."""
        self._reached("before_request")
        try:
            status, body, retry_after = await self._api.upsert([(one.account_id, one.wanted) for one in due])
        except NoAnswer as error:
            kind = Kind.IN_DOUBT if error.in_doubt else Kind.LATER
            answers, rest = [Answer(kind, str(error))] * len(due), unanswered(self._failures + 1)
        else:
            answers = judge(status, body, len(due))
            rest = pause(status, body, retry_after, self._failures + 1)
        self._reached("after_request")
        if answers[0].kind is Kind.RENEW and not self._renewed and self._api.forget_token():
            self._renewed, rest = True, Pause()
        elif rest.seconds:
            self._failures += 1
        else:
            self._failures, self._renewed = 0, False
        self._sort(due, answers)
        await memory.note(connection, [_noted(one, answer) for one, answer in zip(due, answers, strict=True)])
        self._reached("after_answer")
        self._metrics.answered(answers)
        await self._tell(connection, rest)
        return rest

    def _sort(self, due: Sequence[Due], answers: Sequence[Answer]) -> None:
        for one, answer in zip(due, answers, strict=True):
            if answer.kind is Kind.ALONE:
                self._alone.add(one.account_id)
            elif answer.kind in (Kind.APPLIED, Kind.REFUSED):
                self._alone.discard(one.account_id)

    async def _tell(self, connection: AsyncConnection[Any], rest: Pause) -> None:
        """One alert when the CRM takes nothing for a while, and its end."""
        if rest.seconds and self._failures == ALERT_AFTER_FAILURES:
            await memory.alert(connection, "outbound:crm", "firing", f"The CRM is told nothing: {rest.why}.", REMEDY)
            self._told = True
        if self._told and not self._failures:
            await memory.alert(connection, "outbound:crm", "ok", "The CRM takes records again.", "")
            self._told = False

    async def _report(self, connection: AsyncConnection[Any]) -> None:
        waiting, refused = await memory.waiting(connection)
        self._metrics.left(waiting, refused)
        if refused > self._refused:
            sentence = f"The CRM refuses the flags of {refused} account{'s' if refused > 1 else ''}."
            await memory.alert(connection, "outbound:crm:refused", "firing", sentence, "cx outbound crm lists them and why.")
        if self._refused and not refused:
            await memory.alert(connection, "outbound:crm:refused", "ok", "The CRM refuses no account's flags.", "")
        self._refused = refused

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.woken.wait(), IDLE_SECONDS)
        self.woken.clear()


def _noted(due: Due, answer: Answer) -> Noted:
    kind, error = answer.kind, answer.error or None
    if kind is Kind.APPLIED:
        return Noted(due, applied=True)
    if kind is Kind.REFUSED:
        return Noted(due, refused=True, error=error)
    # What waits for the whole CRM waits in the sender's pause, not record by record.
    wait = retry_seconds(due.attempts) if kind is Kind.ALONE and due.attempts > 1 else 0.0
    return Noted(due, in_doubt=kind is Kind.IN_DOUBT, wait=wait, error=error)
