"""A local server that answers upserts by external id as Salesforce does: collections, partial failures, limits, tokens.

Sources: Salesforce REST API Developer Guide: "Upsert Records Using sObject Collections", "Insert or Update (Upsert) a Record
Using an External ID", "Status Codes and Error Responses"; OAuth 2.0 client credentials flow.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from aiohttp import web

EXTERNAL_ID = "CX_Account_Id__c"
FIELDS = ("Risk__c", "Ticket__c", "Driver__c", "Evidence__c", "Key__c", "Version__c")
LIMIT = (403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}])
BUSY = (503, [{"errorCode": "SERVER_UNAVAILABLE", "message": "Server too busy"}])
RATE = (429, [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "slow down"}], {"Retry-After": "1"})
EXPIRED = "every token given so far is over"
LOST, LOST_UNREAD, LATE = "applied, but the answer is lost", "connection dropped, nothing applied", "applied after all others"
SECRET = "crm-client-secret"


@dataclass
class FakeCrm:
    """The state of the server. `script` holds one fault per coming upsert request; then all is well."""

    address: str = ""
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[tuple[str, dict[str, Any]]] = field(default_factory=list)  # every upsert that was applied, in order
    requests: list[int] = field(default_factory=list)  # records per upsert request
    script: list[object] = field(default_factory=list)
    locked: dict[str, int] = field(default_factory=dict)  # account: so many more times it is locked
    refused: set[str] = field(default_factory=set)  # a validation rule refuses these
    tokens: set[str] = field(default_factory=set)
    logins: int = 0
    late: list[list[dict[str, Any]]] = field(default_factory=list)

    def apply_late(self) -> None:
        """What requests that timed out still had under way is applied now."""
        for records in self.late:
            for record in records:
                self._upsert(record)
        self.late.clear()

    async def log_in(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form.get("grant_type") != "client_credentials" or form.get("client_secret") != SECRET:
            return web.json_response({"error": "invalid_client", "error_description": "invalid client credentials"}, status=401)
        self.logins += 1
        token = f"token-{self.logins}"
        self.tokens.add(token)
        return web.json_response({"access_token": token, "token_type": "Bearer", "instance_url": self.address})

    async def one(self, request: web.Request) -> web.StreamResponse:
        fields = await request.json()
        if EXTERNAL_ID in fields or "Id" in fields:
            return _refusal(400, "INVALID_FIELD", "the external id belongs into the address")
        record = {EXTERNAL_ID: unquote(request.match_info["value"]), **fields}
        fault = self._fault(request, [record])
        if fault is not None:
            return fault
        result = self._upsert(record)
        if not result["success"]:
            [error] = result["errors"]
            return _refusal(400, error["statusCode"], error["message"])
        return web.json_response({"id": result["id"], "success": True, "errors": [], "created": result["created"]}, status=200)

    async def several(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        records = body["records"]
        if len(records) > 200:
            return _refusal(400, "EXCEEDED_ID_LIMIT", "record limit reached. cannot submit more than 200 records into this call")
        if body.get("allOrNone") is not False or any(one.get("attributes", {}).get("type") != "Account" for one in records):
            return _refusal(400, "INVALID_INPUT", "allOrNone and the type are expected")
        fault = self._fault(request, records)
        return web.json_response([self._upsert(one) for one in records]) if fault is None else fault

    def _fault(self, request: web.Request, records: list[dict[str, Any]]) -> web.StreamResponse | None:
        self.requests.append(len(records))
        fault = self.script.pop(0) if self.script else None
        if fault == EXPIRED:
            self.tokens.clear()
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _refusal(401, "INVALID_SESSION_ID", "Session expired or invalid")
        if isinstance(fault, tuple):
            status, answer, *headers = fault
            return web.json_response(answer, status=status, headers=headers[0] if headers else {})
        if fault is None:
            return None
        if fault == LOST:
            for record in records:
                self._upsert(record)
        if fault == LATE:
            self.late.append(records)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    def _upsert(self, record: dict[str, Any]) -> dict[str, Any]:
        account = record[EXTERNAL_ID]
        fields = {name: value for name, value in record.items() if name not in ("attributes", EXTERNAL_ID)}
        if unknown := set(fields) - set(FIELDS):
            return _failure("INVALID_FIELD", f"No such column '{unknown.pop()}' on sobject of type Account")
        if self.locked.get(account, 0) > 0:
            self.locked[account] -= 1
            return _failure("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records")
        if account in self.refused:
            return _failure("FIELD_CUSTOM_VALIDATION_EXCEPTION", "this account is closed")
        created = account not in self.accounts
        self.accounts.setdefault(account, {}).update(fields)
        self.log.append((account, fields))
        return {"id": f"001{account}", "success": True, "errors": [], "created": created}


def _failure(code: str, message: str) -> dict[str, Any]:
    return {"success": False, "errors": [{"statusCode": code, "message": message, "fields": []}]}


def _refusal(status: int, code: str, message: str) -> web.Response:
    return web.json_response([{"errorCode": code, "message": message}], status=status)


@contextmanager
def running() -> Iterator[FakeCrm]:
    """A fake CRM on a port of the loopback interface, in a thread of its own."""
    fake, loop, ready, stop = FakeCrm(), asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        app = web.Application(client_max_size=1 << 22)
        app.router.add_post("/services/oauth2/token", fake.log_in)
        app.router.add_patch(f"/services/data/v62.0/sobjects/Account/{EXTERNAL_ID}/{{value:.+}}", fake.one)
        app.router.add_patch(f"/services/data/v62.0/composite/sobjects/Account/{EXTERNAL_ID}", fake.several)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        fake.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait()
    try:
        yield fake
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
