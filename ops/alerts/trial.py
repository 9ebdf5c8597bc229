"""A test letter: the same rendering and the same edge as a real one, marked as a test, mentioning nobody."""

import random
from datetime import UTC, datetime

from ops.alerts import letters, retry, slack
from ops.alerts.incidents import Incident
from ops.alerts.notifier import Setup
from ops.alerts.render import Envelope, render

DETAILS = {
    "affected": 0,
    "remedy": "Nothing. If you can read this, alerts reach this channel.",
    "rows": [{"source_system": "test", "ticket_id": "0", "field": "sentiment", "value": "angry", "evidence_url": ""}],
}


async def send(setup: Setup, channel: str) -> str:
    """Post a test letter. Returns: empty when Slack took it, else what Slack said."""
    now = datetime.now(UTC)
    incident = Incident("test:letter", "info", "whoever sent it", "This is a test letter of CX Signals.", DETAILS, now, now)
    payload = render(letters.NEW, [incident], Envelope(now, setup.zone, runbook=setup.routes.runbook))
    async with slack.client(setup.timeout) as http:
        answer = await slack.post(http, setup.webhooks[channel], payload)
    verdict = retry.judge(answer, 0, is_plain=True, chance=random.random(), now=now)  # noqa: S311  only spreads retries
    return "" if verdict.result == retry.DELIVERED else verdict.reason
