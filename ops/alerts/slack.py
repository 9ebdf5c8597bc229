"""The edge that posts to an incoming webhook. Every outcome is a value; the address never appears in a message or log."""

import httpx

from ops.alerts.render import Payload
from ops.alerts.retry import Answer


def default_timeout() -> httpx.Timeout:
    """5 s to connect; 20 s for the answer, because giving up on a slow Slack may mean a repeated message."""
    return httpx.Timeout(20.0, connect=5.0)


def client(timeout: httpx.Timeout) -> httpx.AsyncClient:
    """A client that follows no redirect: a webhook that moved is a broken webhook."""
    return httpx.AsyncClient(timeout=timeout, follow_redirects=False)


async def post(http: httpx.AsyncClient, webhook: str, payload: Payload) -> Answer:
    """Send one payload.

    Only a failure before the request left is sure to have delivered nothing; Slack has no idempotency key.
    """
    try:
        response = await http.post(webhook, json=payload)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        return Answer(0, f"no connection to Slack ({type(error).__name__})")
    except (httpx.UnsupportedProtocol, httpx.InvalidURL):
        return Answer(404, "the webhook is not an http address")
    except httpx.HTTPError as error:
        return Answer(0, f"no answer from Slack ({type(error).__name__})", may_have_arrived=True)
    return Answer(response.status_code, response.text, response.headers.get("Retry-After"))
