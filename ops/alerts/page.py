"""The web side of the notifier: the "not a problem" page and the metrics. Looking changes nothing; only POST records."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, tzinfo
from typing import Any

import psycopg
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from psycopg import Connection

from ops.alerts import flags, ledger, page_html
from ops.alerts.flag_links import BadLink, FlagLink, check
from ops.alerts.incidents import Incident

PATH = r"/flag/{incident:\d{1,18}}/{expires:\d{1,12}}/{nonce:[A-Za-z0-9_-]{1,64}}/{signature:[0-9a-f]{64}}"

Flag = tuple[str, str, datetime]  # who, why, when


class FlagPage:
    """Shows an incident to whoever holds its signed link, and records the answer once per link."""

    def __init__(self, warehouse_url: str, secret: str, zone: tzinfo, with_quotes: bool) -> None:
        self._warehouse_url, self._secret = warehouse_url, secret
        self._zone, self._with_quotes = zone, with_quotes

    async def show(self, request: web.Request) -> web.Response:
        """GET: the form, or what was recorded with this link. Previews and scanners may call it as often as they like."""
        link = self._link(request)
        incident, flag = await asyncio.to_thread(self._read, link)
        if flag:
            return _html(page_html.recorded_page(incident, self._zone, self._with_quotes, name=flag[0], why=flag[1], at=flag[2]))
        return _html(page_html.form_page(incident, self._zone, self._with_quotes))

    async def record(self, request: web.Request) -> web.Response:
        """POST: record the answer and show it. The same POST again changes nothing."""
        link = self._link(request)
        form = await request.post()
        name, why = (" ".join(str(form.get(field, "")).split()) for field in ("name", "why"))
        if not name or not why:
            incident, _ = await asyncio.to_thread(self._read, link)
            problem = "Please give a reason and your name."
            return _html(page_html.form_page(incident, self._zone, self._with_quotes, problem=problem, name=name, why=why), 422)
        await asyncio.to_thread(self._store, link, name, why)
        raise web.HTTPSeeOther(request.path)

    def _link(self, request: web.Request) -> FlagLink:
        parts = request.match_info
        try:
            return check(self._secret, parts, datetime.now(UTC))
        except BadLink as error:
            hint = f"{error} You can still answer with: cx alerts flag {int(parts['incident'])} --false-positive --why '…'"
            raise _Stop(403, "This link cannot be used", hint) from error

    def _read(self, link: FlagLink) -> tuple[Incident, Flag | None]:
        with self._connect() as connection:
            found = ledger.by_id(connection, [link.incident_id])
            query = "select flagged_by, why, flagged_at from ops.alert_flags where nonce = %s"
            flag = connection.execute(query, (link.nonce,)).fetchone()
        if not found:
            raise _Stop(404, "Unknown incident", f"There is no incident {link.incident_id} in this warehouse.")
        return found[0], flag

    def _store(self, link: FlagLink, name: str, why: str) -> None:
        with self._connect() as connection:
            outcome = flags.record(connection, link.incident_id, name=name, why=why, via="link", nonce=link.nonce)
        if outcome == flags.UNKNOWN:
            raise _Stop(404, "Unknown incident", f"There is no incident {link.incident_id} in this warehouse.")

    def _connect(self) -> Connection[Any]:
        return psycopg.connect(self._warehouse_url, connect_timeout=5)


class _Stop(Exception):
    """A page that only says why nothing can be shown."""

    def __init__(self, status: int, title: str, text: str) -> None:
        super().__init__(title)
        self.status, self.title, self.text = status, title, text


def application(page: FlagPage, registry: CollectorRegistry) -> web.Application:
    """The routes of the notifier's web server."""
    app = web.Application(middlewares=[_as_page], client_max_size=32 * 1024)
    app.router.add_get(PATH, page.show)
    app.router.add_post(PATH, page.record)
    app.router.add_get("/metrics", lambda request: _metrics(registry))
    return app


@web.middleware
async def _as_page(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    """Every refusal is a readable page; the warehouse being away is no stack trace."""
    try:
        return await handler(request)
    except _Stop as stop:
        return _html(page_html.message_page(stop.title, stop.text), stop.status)
    except psycopg.OperationalError:
        return _html(page_html.message_page("Not now", "The warehouse does not answer. Please try again in a minute."), 503)
    except web.HTTPRequestEntityTooLarge:
        return _html(page_html.message_page("Too long", "Please use at most 2,000 characters."), 413)
    except web.HTTPNotFound:
        return _html(page_html.message_page("Nothing here", "This address is not one of CX Signals' links."), 404)


async def _metrics(registry: CollectorRegistry) -> web.Response:
    return web.Response(body=generate_latest(registry), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


def _html(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8", headers=page_html.HEADERS)
