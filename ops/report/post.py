"""The edge that posts the digest: a few tries where Slack says that it will take it later."""

import asyncio
import random
from datetime import UTC, datetime
from typing import Any

import httpx

from ops.alerts import retry, slack

TRIES = 3
LONGEST_PAUSE_SECONDS = 30.0


async def post(webhook: str, payload: dict[str, Any], timeout: httpx.Timeout) -> str:
    """Send it; a message that may have arrived is not sent again. Returns: empty when Slack took it, else what Slack said."""
    reason = ""
    async with slack.client(timeout) as http:
        for failures in range(TRIES):
            answer = await slack.post(http, webhook, payload)
            verdict = retry.judge(answer, failures, is_plain=True, chance=random.random(), now=datetime.now(UTC))  # noqa: S311
            reason = "" if verdict.result == retry.DELIVERED else verdict.reason
            if verdict.result != retry.RETRY or verdict.may_have_arrived or failures == TRIES - 1:
                break
            await asyncio.sleep(min(LONGEST_PAUSE_SECONDS, verdict.pause.total_seconds()))
    return reason
