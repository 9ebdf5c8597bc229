"""The letter rules: a simulated day of notices, ticks and a Slack that comes and goes."""

import itertools
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from ops.alerts.incidents import Incident
from ops.alerts.letters import GROUP, NEW, OVER, REMINDER, WORSE, Letter, Situation, due_kind, next_slot, plan
from ops.alerts.routes import Pace, QuietHours, Route, Routes

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PACE = Pace(reminders={"critical": (HOUR, 4 * HOUR, 24 * HOUR), "warning": (4 * HOUR,), "info": ()})
ROUTES = Routes({"default": "CX_SLACK_WEBHOOK_URL"}, (Route("default"),), pace=PACE)
NIGHT = QuietHours(frozenset({"warning"}), time(20), time(7), ZoneInfo("UTC"))


def incident(number: int = 1, severity: str = "critical", **changes: Any) -> Incident:
    return replace(Incident(f"cause:{number}", severity, "owner", "summary", {}, NOON, NOON, incident_id=number), **changes)


def told(one: Incident, at: datetime) -> Incident:
    state = "open" if one.is_open else "over"
    return replace(one, told_as=state, told_severity=one.severity, told_at=at, letters=one.letters + 1)


def kinds(incidents: list[Incident], now: datetime, waiting: list[Letter] | None = None, routes: Routes = ROUTES) -> list[str]:
    return [letter.kind for letter in plan(incidents, waiting or [], Situation(routes, now)).letters]


def test_an_incident_is_told_once_then_reminded_of_at_growing_intervals() -> None:
    """An open critical incident makes letters at 0, 1, 5 and 29 hours, and then once a day."""
    one, hours = incident(), []
    for minute in range(60 * 24 * 3):
        now = NOON + minute * MINUTE
        if due_kind(one, PACE, now):
            hours.append(minute / 60)
            one = told(one, now)
    assert hours == [0, 1, 5, 29, 53]


def test_a_rising_severity_is_told_at_once() -> None:
    """A told warning that becomes critical is due immediately, not at its next reminder."""
    warned = told(incident(severity="warning"), NOON)
    assert due_kind(warned, PACE, NOON + MINUTE) is None
    assert due_kind(replace(warned, severity="critical"), PACE, NOON + MINUTE) == WORSE


def test_a_recovery_follows_only_a_told_opening() -> None:
    """What nobody was told of ends silently, with the reason; what was told ends with a letter."""
    ended = incident(over_at=NOON + MINUTE)
    assert plan([ended], [], Situation(ROUTES, NOON + HOUR)).quiet == {1: "over before anyone was told"}
    assert kinds([replace(ended, told_as="open", told_at=NOON)], NOON + HOUR) == [OVER]


def test_an_end_is_believed_after_it_settled_and_a_flapping_one_after_the_reopen_window() -> None:
    """The end of an incident waits 30 s; of one that came back twice, ten minutes."""
    ended = replace(told(incident(), NOON), over_at=NOON)
    assert [kinds([ended], NOON + timedelta(seconds=at)) for at in (29, 30)] == [[], [OVER]]
    flapping = replace(ended, reopened=2)
    assert [kinds([flapping], NOON + timedelta(seconds=at)) for at in (599, 600)] == [[], [OVER]]


def test_many_at_once_become_one_letter_that_absorbs_those_that_wait() -> None:
    """Five open together are five letters; a sixth makes one group of all, waiting ones included."""
    assert kinds([incident(number) for number in range(1, 6)], NOON) == [NEW] * 5
    waiting = [Letter("default", NEW, (number,), NOON, delivery_id=100 + number) for number in range(1, 6)]
    planned = plan([incident(number) for number in range(1, 7)], waiting, Situation(ROUTES, NOON))
    assert [(letter.kind, letter.incident_ids) for letter in planned.letters] == [(GROUP, (1, 2, 3, 4, 5, 6))]
    assert planned.absorbed == (101, 102, 103, 104, 105)


def test_a_letter_that_is_being_sent_is_neither_repeated_nor_absorbed() -> None:
    """A letter on its way to Slack counts as told until its outcome is known."""
    sending = [Letter("default", NEW, (1,), NOON, delivery_id=101, is_sending=True)]
    planned = plan([incident(number) for number in range(1, 8)], sending, Situation(ROUTES, NOON))
    assert [letter.incident_ids for letter in planned.letters] == [(2, 3, 4, 5, 6, 7)]
    assert planned.absorbed == ()


def test_a_warning_of_the_night_waits_for_the_morning() -> None:
    """In quiet hours a warning's letter is stored for their end, so that it is told even when it is over by then."""
    night = NOON + 10 * HOUR
    [letter] = plan([incident(severity="warning")], [], Situation(replace(ROUTES, quiet_hours=NIGHT), night)).letters
    assert letter.not_before == datetime(2026, 11, 25, 7, tzinfo=UTC)


def test_a_warning_of_the_night_that_becomes_critical_is_told_at_once() -> None:
    """A deferred letter gives way when its incident may be told earlier."""
    night = NOON + 10 * HOUR
    deferred = Letter("default", NEW, (1,), NOON + 19 * HOUR, delivery_id=7)
    planned = plan([incident()], [deferred], Situation(replace(ROUTES, quiet_hours=NIGHT), night))
    assert planned.absorbed == (7,)
    assert [letter.not_before for letter in planned.letters] == [night]


def test_a_letter_for_a_channel_that_left_the_routes_is_planned_anew() -> None:
    """Renaming a channel in the routes file strands no letter: its incidents are told where the routes now say."""
    stranded = Letter("old-name", NEW, (1,), NOON, delivery_id=7)
    planned = plan([incident(over_at=NOON + MINUTE)], [stranded], Situation(ROUTES, NOON + HOUR))
    assert planned.absorbed == (7,)
    assert [(letter.channel, letter.incident_ids) for letter in planned.letters] == [("default", (1,))]


def test_a_channel_without_a_webhook_gets_no_letters_but_a_reason() -> None:
    """Without a webhook nothing is queued, and the incident says which variable is missing."""
    planned = plan([incident()], [], Situation(ROUTES, NOON, missing={"default": "CX_SLACK_WEBHOOK_URL is not set"}))
    assert planned.letters == ()
    assert planned.quiet == {1: "CX_SLACK_WEBHOOK_URL is not set"}


def test_a_flagged_incident_is_not_reminded_of() -> None:
    """What a person called no problem is not repeated; its check goes on as before."""
    flagged = replace(told(incident(), NOON), flagged=True)
    assert kinds([flagged], NOON + 2 * HOUR) == []
    assert kinds([replace(flagged, flagged=False)], NOON + 2 * HOUR) == [REMINDER]


@given(st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001  the strategy adds the zone
def test_quiet_hours_end_within_a_day_at_their_time_even_when_the_clocks_change(now: datetime) -> None:
    """The end of quiet hours is in the future, at most 25 hours away, and outside of them."""
    quiet = QuietHours(frozenset({"warning"}), time(20), time(7), ZoneInfo("Europe/Berlin"))
    end = quiet.end_after(now)
    assert timedelta(0) < end - now <= timedelta(hours=25)
    assert end.astimezone(quiet.zone).time() == time(7)
    assert not quiet.holds("warning", end)


events = st.lists(
    st.tuples(
        st.integers(0, 600), st.integers(1, 12), st.sampled_from(["firing", "ok"]), st.sampled_from(["warning", "critical"])
    ),
    max_size=60,
)


@settings(max_examples=60)
@given(events, st.lists(st.tuples(st.integers(0, 600), st.integers(1, 200)), max_size=3))
def test_a_day_of_alerts_loses_none_and_floods_nobody(happenings: list[Any], outages: list[Any]) -> None:
    """Over ten hours with any alerts and any outages: all that is open was told or waits, and no hour has too many letters."""
    world = _World()
    for minute in range(600):
        world.notice([event for event in happenings if event[0] == minute])
        world.tick(is_down=any(start <= minute < start + length for start, length in outages))
    world.tick(is_down=False)
    for one in world.incidents.values():
        assert not one.is_open or one.told_as == "open" or one.incident_id in world.held()
        assert one.told_as is not None or one.quiet_reason
    assert max(Counter(at // 60 for at in world.sent_at).values(), default=0) <= PACE.letters_per_hour + 60 / 5
    assert all(before == "open" for before in world.told_before_recovery)


class _World:
    """Incidents, a queue and a Slack in memory; one tick is one minute."""

    def __init__(self) -> None:
        self.minute = -1
        self.ids = itertools.count(1)
        self.incidents: dict[int, Incident] = {}
        self.queue: list[Letter] = []
        self.sent_at: list[int] = []
        self.told_before_recovery: list[str | None] = []

    def notice(self, happenings: list[Any]) -> None:
        self.minute += 1
        now = NOON + self.minute * MINUTE
        for _, cause, state, severity in happenings:
            one = self.incidents.get(cause)
            if state == "firing":
                known = one or incident(cause, severity, opened_at=now)
                back = 0 if known.is_open else 1
                self.incidents[cause] = replace(known, over_at=None, severity=severity, reopened=known.reopened + back)
            elif one and one.is_open:
                self.incidents[cause] = replace(one, over_at=now, quiet_reason=one.quiet_reason or "over before anyone was told")

    def held(self) -> set[int]:
        return {number for letter in self.queue for number in letter.incident_ids}

    def tick(self, is_down: bool) -> None:
        now = NOON + self.minute * MINUTE
        heard = sum(self.minute - 60 < at <= self.minute for at in self.sent_at)
        planned = plan(self.incidents.values(), self.queue, Situation(ROUTES, now, {"default": heard}))
        self.queue = [letter for letter in self.queue if letter.delivery_id not in planned.absorbed]
        self.queue += [replace(letter, delivery_id=next(self.ids)) for letter in planned.letters]
        for number, reason in planned.quiet.items():
            self.incidents[number] = replace(self.incidents[number], quiet_reason=reason)
        assert len(self.held()) == sum(len(letter.incident_ids) for letter in self.queue), "an incident has two letters waiting"
        for letter in [] if is_down else [one for one in self.queue if one.not_before <= now]:
            self.queue.remove(letter)
            self.sent_at.append(self.minute)
            if letter.kind == OVER:
                self.told_before_recovery.append(self.incidents[letter.incident_ids[0]].told_as)
            for number in letter.incident_ids:
                self.incidents[number] = told(self.incidents[number], now)


def test_a_loud_channel_gets_its_letters_in_digests() -> None:
    """Past the hourly limit, due letters share the next full five minutes and become one."""
    now = NOON + timedelta(minutes=2)
    planned = plan([incident(1), incident(2)], [], Situation(ROUTES, now, {"default": 30}))
    assert [(letter.kind, letter.not_before) for letter in planned.letters] == [(GROUP, NOON + timedelta(minutes=5))]
    assert next_slot(NOON, timedelta(minutes=5)) == NOON + timedelta(minutes=5)
