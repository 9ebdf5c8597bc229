"""An upsert API in the shape of Salesforce's: single records by external id, collections of up to 200, OAuth 2.0 tokens."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx

from connectors.outbound.crm.configuration import Crm
from connectors.outbound.crm.flags import Flags, body


class NoAnswer(Exception):
    """The request has no answer. `in_doubt`: it may have reached the CRM all the same."""

    def __init__(self, words: str, in_doubt: bool) -> None:
        super().__init__(words)
        self.in_doubt = in_doubt


class Answered(NamedTuple):
    """An answer; `body` is None when there is none, or none in JSON."""

    status: int
    body: Any
    retry_after: str | None


class Api:
    """Speaks to one CRM. Every call raises NoAnswer."""

    def __init__(self, crm: Crm) -> None:
        self._crm = crm
        self._client = httpx.AsyncClient(timeout=crm.timeout_seconds, trust_env=False, follow_redirects=False)
        self._token = crm.token.given

    async def upsert(self, accounts: Sequence[tuple[str, Flags]]) -> Answered:
        """Set the flags of these accounts: one by its own address, several as a collection that fails record by record."""
        crm = self._crm
        base = f"{crm.url}/services/data/{crm.api_version}"
        if len(accounts) == 1:
            [(account, wanted)] = accounts
            address = f"{base}/sobjects/{crm.object}/{crm.external_id}/{quote(account, safe='')}"
            return await self._patch(address, body(wanted, crm.fields))
        records = [
            {"attributes": {"type": crm.object}, crm.external_id: account, **body(wanted, crm.fields)}
            for account, wanted in accounts
        ]
        address = f"{base}/composite/sobjects/{crm.object}/{crm.external_id}"
        return await self._patch(address, {"allOrNone": False, "records": records})

    def forget_token(self) -> bool:
        """Have the next call get a new token; False when the token was given and cannot be renewed."""
        if self._crm.token.given:
            return False
        self._token = ""
        return True

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _patch(self, address: str, content: Any) -> Answered:
        if not self._token:
            refused = await self._log_in()
            if refused is not None:
                return refused
        return await self._call("PATCH", address, json=content, headers={"Authorization": f"Bearer {self._token}"})

    async def _log_in(self) -> Answered | None:
        """Get a token; the answer when it is refused, as one that names no record."""
        token = self._crm.token
        form = {"grant_type": "client_credentials", "client_id": token.client_id, "client_secret": token.client_secret}
        try:
            answered = await self._call("POST", token.url, data=form)
        except NoAnswer as error:
            raise NoAnswer(f"log-in: {error}", in_doubt=False) from error
        given = answered.body if isinstance(answered.body, dict) else {}
        if answered.status == httpx.codes.OK and given.get("access_token"):
            self._token = str(given["access_token"])
            return None
        if answered.status in (429, 503):
            return answered
        words = f"log-in: {given.get('error', answered.status)} {given.get('error_description', '')}".strip()
        return Answered(403, [{"errorCode": "INVALID_LOGIN", "message": words}], answered.retry_after)

    async def _call(self, method: str, address: str, **content: Any) -> Answered:
        try:
            answer = await self._client.request(method, address, **content)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            raise NoAnswer(f"{type(error).__name__}: {error}", in_doubt=False) from error
        except httpx.HTTPError as error:
            raise NoAnswer(f"{type(error).__name__}: {error}", in_doubt=True) from error
        try:
            decoded = answer.json() if answer.content else None
        except ValueError:
            decoded = None
        return Answered(answer.status_code, decoded, answer.headers.get("Retry-After"))
