"""kill -9 between each two steps: what arrived, and nothing else, is the judge."""

import signal
import subprocess
import sys

import pytest

from connectors.outbound.webhooks.service import PLACES
from tests.conftest import wait_until
from tests.fakes.subscriber import LOST, Subscriber
from tests.integration.webhooks.conftest import Service, change, deleted, subscription

VERSIONS = range(1, 6)
QUICK = ("after_queue_commit", "after_post")  # with every `make test`: where something could be lost, and be said twice
TICKETS = ("t1", "t2", "t3")


def judged(hook: Subscriber) -> dict[str, list[int | str]]:
    """Each ticket's story as a subscriber keeps it that ignores ids it has seen; fails on a forged or changed message."""
    bodies: dict[str, object] = {}
    story: dict[str, list[int | str]] = {}
    for taken in hook.taken:
        if taken.message_id in bodies:
            assert bodies[taken.message_id] == taken.body, "one id, two contents"
            continue
        bodies[taken.message_id] = taken.body
        story.setdefault(taken.body["data"]["ticket_id"], []).append(taken.body["data"].get("version", "deleted"))
    assert hook.forged == 0
    return story


@pytest.mark.parametrize("place", [pytest.param(one, marks=() if one in QUICK else pytest.mark.long) for one in PLACES])
def test_a_kill_loses_nothing_invents_nothing_and_keeps_the_order(service: Service, hook: Subscriber, place: str) -> None:
    """Killed at this place and started again, with one answer lost: every ticket's story is whole and in order."""
    service.begin()
    hook.script = [LOST]
    arguments = (service.warehouse_url, service.topic.bootstrap, service.topic.name, hook.address, place)
    process = subprocess.Popen([sys.executable, "-m", "tests.integration.webhooks.killed_service", *arguments])
    try:
        service.topic.write(*(change(ticket, version) for version in VERSIONS for ticket in TICKETS))
        assert process.wait(30) == -signal.SIGKILL
    finally:
        process.kill()
    with service.running(subscription(hook.address)):
        service.topic.write(*(change(ticket, version) for version in VERSIONS for ticket in TICKETS), deleted("t3"))
        wait_until(lambda: service.states() and "waiting" not in service.states(), 60, "everything told")
        wait_until(lambda: judged(hook).get("t3", [])[-1:] == ["deleted"], 60, "the delete")

    story = judged(hook)
    assert story["t1"] == story["t2"] == list(VERSIONS)
    known = [version for version in story["t3"] if version != "deleted"]
    assert known == list(VERSIONS)[: len(known)] and story["t3"][-1] == "deleted"
