"""The incident rules, by property: any notices, cut into any batches, in any order."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ops.alerts.incidents import CLOSED, LATE, OPENED, REOPENED, UPDATED, Incident, Notice, fold, silenced

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
REOPEN = timedelta(minutes=10)

moments = st.integers(0, 3600).map(lambda second: START + timedelta(seconds=second))
noticed = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]), st.sampled_from(["firing", "ok"]), st.sampled_from(["info", "warning", "critical"]), moments
    ),
    max_size=25,
)


def notice(alert_id: int, cause: str = "a", state: str = "firing", severity: str = "warning", at: datetime = START) -> Notice:
    return Notice(alert_id, cause, state, severity, "owner", f"summary {alert_id}", {}, at)


def numbered(rows: list[tuple[str, str, str, datetime]]) -> list[Notice]:
    return [notice(number, *row) for number, row in enumerate(rows, 1)]


class Ledger:
    """Incidents kept in memory, folded batch by batch as the SQL side does it."""

    def __init__(self) -> None:
        self.incidents: list[Incident] = []
        self.last_ok: dict[str, datetime] = {}
        self.outcomes: dict[int, Any] = {}

    def read(self, batch: list[Notice]) -> None:
        latest = {one.fingerprint: one for one in self.incidents}
        folded = fold(latest, self.last_ok, batch, REOPEN)
        for incident in folded.incidents:
            before = latest.get(incident.fingerprint)
            if before is not None and before.key == incident.key:
                self.incidents[self.incidents.index(before)] = incident
            else:
                self.incidents.append(incident)
        for one in batch:
            if one.state == "ok":
                self.last_ok[one.fingerprint] = max(one.raised_at, self.last_ok.get(one.fingerprint, one.raised_at))
        self.outcomes |= folded.outcomes

    def is_open(self, cause: str) -> bool:
        return any(one.is_open for one in self.incidents if one.fingerprint == cause)


@given(noticed, st.randoms(use_true_random=False))
def test_a_cause_never_has_two_open_incidents(rows: list[Any], chance: random.Random) -> None:
    """After any batch of any notices, at most one incident per fingerprint is open."""
    ledger, left = Ledger(), numbered(rows)
    while left:
        size = chance.randint(1, len(left))
        ledger.read(left[:size])
        left = left[size:]
        for cause in "ab":
            assert sum(one.is_open for one in ledger.incidents if one.fingerprint == cause) <= 1


@given(noticed, st.randoms(use_true_random=False))
def test_the_newest_notice_alone_decides_whether_a_cause_is_open(rows: list[Any], chance: random.Random) -> None:
    """Whatever order and batches notices are read in, a cause is open exactly when its newest notice fires."""
    notices = numbered(rows)
    shuffled = chance.sample(notices, len(notices))
    ledger = Ledger()
    while shuffled:
        size = chance.randint(1, len(shuffled))
        ledger.read(shuffled[:size])
        shuffled = shuffled[size:]
    for cause in "ab":
        own = [one for one in notices if one.fingerprint == cause]
        newest = max(own, key=lambda one: (one.raised_at, one.state == "ok"), default=None)
        assert ledger.is_open(cause) == (newest is not None and newest.state == "firing")


@given(noticed)
def test_every_notice_has_an_outcome_and_every_firing_an_incident_or_a_reason(rows: list[Any]) -> None:
    """No notice disappears: each has an outcome, and a firing without an incident says why."""
    ledger, notices = Ledger(), numbered(rows)
    ledger.read(notices)
    for one in notices:
        outcome, key = ledger.outcomes[one.alert_id]
        assert outcome
        if one.state == "firing":
            assert key is not None or outcome == LATE


def test_a_second_firing_updates_the_open_incident() -> None:
    """The same cause firing again counts, raises the severity, and takes the newer sentence."""
    later = notice(2, severity="critical", at=START + timedelta(minutes=1))
    folded = fold({}, {}, [notice(1), later], REOPEN)
    [incident] = folded.incidents
    assert [outcome for outcome, _ in folded.outcomes.values()] == [OPENED, UPDATED]
    assert (incident.occurrences, incident.severity, incident.summary) == (2, "critical", "summary 2")


def test_firing_again_soon_after_the_end_continues_the_same_incident() -> None:
    """Within the reopen window a cause flaps inside one incident; after it, it is a new one."""
    ended = notice(2, state="ok", at=START + timedelta(minutes=1))
    soon, late = (notice(number, at=START + timedelta(minutes=1 + number)) for number in (5, 15))
    assert [text for text, _ in fold({}, {}, [notice(1), ended, soon], REOPEN).outcomes.values()] == [OPENED, CLOSED, REOPENED]
    apart = fold({}, {}, [notice(1), ended, late], REOPEN)
    assert [one.is_open for one in apart.incidents] == [False, True]


def test_a_firing_that_commits_after_its_ok_opens_nothing() -> None:
    """A firing older than an `ok` that was already read is late, and says so."""
    folded = fold({}, {"a": START + timedelta(seconds=5)}, [notice(1)], REOPEN)
    assert folded.incidents == ()
    assert folded.outcomes[1] == (LATE, None)


def test_a_cause_that_never_says_ok_ends_by_silence() -> None:
    """An incident whose fingerprint fits a silence pattern is over once it was not seen for that long."""
    [incident] = fold({}, {}, [notice(1, cause="stream:conflict")], REOPEN).incidents
    silence = {"stream:conf*": timedelta(hours=24)}
    assert silenced(incident, silence, START + timedelta(hours=23)).is_open
    assert silenced(incident, silence, START + timedelta(hours=25)).over_at == START + timedelta(hours=24)
