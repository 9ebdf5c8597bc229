"""The gate's decisions: verdict, what to hold, what comes back, when to alert."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expectations.gate import alerts, quarantine
from expectations.gate.alerts import Known
from expectations.gate.failing_rows import failing_rows_query
from expectations.gate.quarantine import BatchTicket, Held
from expectations.gate.suites import Check, parse
from expectations.gate.verdict import CheckResult, FailingRow, judge, outcome
from expectations.policy import Policy, Quarantine
from expectations.policy import parse as parse_policy

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
CHECK = Check("landing", "is_right", "", {}, "critical", "team", "it is not right", "make it right", "make-it-right")
SEVERITIES = st.sampled_from(["critical", "warning", "info"])
RESULTS = st.lists(
    st.builds(
        lambda severity, outcome: CheckResult(replace(CHECK, severity=severity), outcome),
        SEVERITIES,
        st.sampled_from(["passed", "failed", "error"]),
    )
)
POLICY = Quarantine(checks=("landing:is_right",), group_by=("source_system", "account_id"), group_share=0.6, group_min_tickets=5)


def failing(*tickets: str, check: Check = CHECK) -> CheckResult:
    rows = tuple(FailingRow("zendesk", ticket, "field", "value", f"https://evidence.example/{ticket}") for ticket in tickets)
    return CheckResult(check, "failed", len(rows), rows=rows)


def batch(count: int, source_system: str = "zendesk") -> list[BatchTicket]:
    return [BatchTicket(source_system, f"T-{number}", "A-1") for number in range(count)]


@given(RESULTS)
def test_the_highest_failing_severity_decides(results: list[CheckResult]) -> None:
    """An error outranks a critical failure, that a warning, and a failing info changes nothing."""
    decision = judge(results).decision
    failed = {result.check.severity for result in results if result.outcome == "failed"}
    if any(result.outcome == "error" for result in results):
        assert decision == "error"
    else:
        assert decision == ("held" if "critical" in failed else "warning" if "warning" in failed else "passed")


@pytest.mark.parametrize(
    ("success", "error", "rows", "empty", "expected"),
    [
        (True, "", 5, "fine", "passed"),
        (False, "", 5, "fine", "failed"),
        (False, "no such column", 5, "fine", "error"),
        (True, "no such column", 0, "fine", "error"),
        (True, "", 0, "fine", "passed"),
        (True, "", 0, "fails", "failed"),
    ],
)
def test_an_exception_is_an_error_and_an_empty_batch_is_judged_by_intent(
    success: bool, error: str, rows: int, empty: str, expected: str
) -> None:
    """What raised is neither a pass nor bad data; an empty batch is what the check's meta says."""
    assert outcome(replace(CHECK, empty=empty), success, error, rows)[0] == expected  # type: ignore[arg-type]


def test_an_error_is_told_as_could_not_be_checked() -> None:
    """Its alert never says that data is bad."""
    result = CheckResult(CHECK, "error", note="relation does not exist")

    (remembered,) = alerts.remember([result], {}, NOW, timedelta(minutes=5), {})

    assert remembered.alert is not None
    assert "could not be checked" in remembered.alert.summary
    assert CHECK.meaning not in remembered.alert.summary


def test_failing_tickets_are_held_and_the_rest_goes_on() -> None:
    """Two bad tickets of a hundred are held; what remains of the failure is a warning."""
    holding = quarantine.hold([failing("T-1", "T-2")], batch(100), POLICY)

    assert {hold.ticket for hold in holding.holds} == {("zendesk", "T-1"), ("zendesk", "T-2")}
    assert judge(holding.results).decision == "warning"


def test_a_check_that_the_policy_does_not_list_holds_the_publish() -> None:
    """Only listed checks may hold single tickets."""
    holding = quarantine.hold([failing("T-1")], batch(100), Quarantine())

    assert holding.holds == ()
    assert judge(holding.results).decision == "held"


def test_a_mostly_bad_group_is_held_whole() -> None:
    """When six of ten tickets of a source system fail, all ten are held, and the other system is not."""
    good = [BatchTicket("email", f"E-{number}", None) for number in range(100)]

    holding = quarantine.hold([failing(*(f"T-{number}" for number in range(6)))], batch(10) + good, POLICY)

    assert {hold.source_system for hold in holding.holds} == {"zendesk"}
    assert len(holding.holds) == 10
    assert {hold.scope for hold in holding.holds} == {"source_system"}


def test_a_bad_source_system_does_not_take_accounts_of_others_with_it() -> None:
    """What their source system explains counts against no account: a good ticket of the account elsewhere is published."""
    good = [BatchTicket("email", "E-1", "A-1")]

    holding = quarantine.hold([failing(*(f"T-{number}" for number in range(8)))], batch(10) + good, POLICY)

    assert {hold.ticket for hold in holding.holds} == {row.ticket for row in batch(10)}


def test_tickets_held_one_by_one_do_not_outweigh_what_is_new() -> None:
    """Held tickets stay in the batch, published ones leave it: the share is of the new ones, unless the group is held."""
    held = [replace(row, held_scope="ticket") for row in batch(8)]
    new = [BatchTicket("zendesk", f"N-{number}", "A-1") for number in range(5)]
    results = [failing(*(f"T-{number}" for number in range(8)))]

    one_by_one = quarantine.hold(results, held + new, POLICY)
    as_a_group = quarantine.hold(results, [replace(row, held_scope="source_system") for row in held] + new, POLICY)

    assert {hold.ticket for hold in one_by_one.holds} == {row.ticket for row in held}
    assert {hold.ticket for hold in as_a_group.holds} == {row.ticket for row in held + new}


def test_too_much_to_hold_holds_the_publish() -> None:
    """When nearly everything fails that is no quarantine: nothing is held, the failure stays critical."""
    policy = replace(POLICY, most_held_share=0.5, most_held_min_tickets=10)

    holding = quarantine.hold([failing(*(f"T-{number}" for number in range(9)))], batch(10), policy)

    assert holding.holds == ()
    assert judge(holding.results).decision == "held"


@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)))
def test_held_tickets_return_exactly_when_they_pass(held: set[int], failing_now: set[int]) -> None:
    """Landing's held tickets are released if and only if the cycle does not hold them again."""
    rows = [Held("zendesk", f"T-{number}", "landing", NOW, NOW) for number in held]
    holds = quarantine.hold([failing(*(f"T-{number}" for number in failing_now))], [], POLICY).holds if failing_now else ()

    released = quarantine.released_from_landing(rows, holds)

    assert {ticket for _, ticket in released} == {f"T-{number}" for number in held - failing_now}


@pytest.mark.parametrize(
    ("tried", "changed", "due"),
    [
        (NOW, NOW - timedelta(hours=1), False),
        (NOW - timedelta(seconds=60), NOW - timedelta(seconds=1), True),
        (NOW - timedelta(seconds=600), NOW - timedelta(hours=1), True),
        (NOW, None, True),
    ],
)
def test_a_candidate_is_tried_again_when_it_changed_or_after_a_while(
    tried: datetime, changed: datetime | None, due: bool
) -> None:
    """Not every cycle: it would be built twice each time. At once when it changed or is gone."""
    rows = [Held("zendesk", "T-1", "candidates", tried, changed)]

    assert bool(quarantine.due_for_retry(rows, NOW, Quarantine(retry_seconds=600))) is due


def test_a_check_with_tickets_still_held_has_not_passed() -> None:
    """The candidates no longer show what is held; the check keeps warning until it is released."""
    (result,) = quarantine.with_standing([CheckResult(CHECK, "passed")], {"is_right": [FailingRow("zendesk", "T-1")]})

    assert (result.outcome, result.check.severity, result.affected) == ("failed", "warning", 1)


@given(st.lists(st.sampled_from(["passed", "failed", "error"]), max_size=30))
def test_an_incident_is_told_once_at_its_start_and_once_at_its_end(outcomes: list[str]) -> None:
    """Whatever a check goes through: no ok without a firing before it, and never two ok in a row."""
    known: dict[str, Known] = {}
    told: list[str] = []
    for number, came_of_it in enumerate(outcomes):
        moment = NOW + timedelta(seconds=number)
        result = CheckResult(CHECK, came_of_it)  # type: ignore[arg-type]
        (item,) = alerts.remember([result], known, moment, timedelta(hours=1), {})
        known = {CHECK.id: Known(came_of_it, "critical", item.since, item.alerted_at)}
        told += [item.alert.state] if item.alert else []
    starts = sum(now != "passed" and before == "passed" for before, now in zip(["passed", *outcomes], outcomes, strict=False))
    ends = sum(now == "passed" and before != "passed" for before, now in zip(["passed", *outcomes], outcomes, strict=False))
    assert told.count("ok") == ends
    assert told.count("firing") >= starts
    assert all(first == "firing" for first, second in itertools.pairwise(told) if second == "ok")


def test_a_failing_check_is_repeated_only_after_the_interval() -> None:
    """The outbox hears again after repeat_alert_seconds, with the time since when it fails."""
    since = NOW - timedelta(minutes=10)
    repeat = timedelta(minutes=5)
    recent = {CHECK.id: Known("failed", "critical", since, NOW - timedelta(minutes=1))}
    old = {CHECK.id: Known("failed", "critical", since, NOW - timedelta(minutes=6))}

    (quiet,) = alerts.remember([failing("T-1")], recent, NOW, repeat, {})
    (again,) = alerts.remember([failing("T-1")], old, NOW, repeat, {})

    assert quiet.alert is None
    assert again.alert is not None
    assert again.alert.details["since"] == since.isoformat()


def test_an_alert_is_complete() -> None:
    """Affected rows, at most five of them with evidence, remedy, runbook and the page of Data Docs."""
    result = failing(*(f"T-{number}" for number in range(9)))

    (item,) = alerts.remember([result], {}, NOW, timedelta(minutes=5), {"landing": "https://docs.example/page.html"})

    assert item.alert is not None
    assert item.alert.fingerprint == "gate:landing:is_right"
    assert item.alert.details["affected"] == 9
    assert len(item.alert.details["rows"]) == 5
    assert item.alert.details["rows"][0]["evidence_url"] == "https://evidence.example/T-0"
    assert item.alert.details["data_docs"] == "https://docs.example/page.html"
    assert (item.alert.details["remedy"], item.alert.details["runbook"]) == ("make it right", "make-it-right")


def test_info_is_noted_and_alerts_nobody() -> None:
    """A failing info check is remembered, without an alert."""
    (item,) = alerts.remember([failing("T-1", check=replace(CHECK, severity="info"))], {}, NOW, timedelta(minutes=5), {})

    assert item.alert is None


def test_a_placeholder_without_a_value_is_refused() -> None:
    """A suite that names an unknown threshold says which, instead of running with a hole."""
    with pytest.raises(KeyError, match="max_something"):
        parse({"name": "landing", "batch": "select [[max_something]]", "expectations": []}, {})


def test_a_check_without_its_meta_is_refused() -> None:
    """No expectation without owner, meaning, remedy and runbook."""
    item = {"type": "x", "kwargs": {}, "severity": "critical", "meta": {"name": "lonely"}}
    with pytest.raises(KeyError, match=r"lonely.*owner, meaning, remedy, runbook, empty"):
        parse({"name": "landing", "batch": "select 1", "expectations": [item]}, {})


def test_an_unknown_policy_entry_is_refused() -> None:
    """A misspelt entry would silently do nothing."""
    with pytest.raises(TypeError, match="most_hold_share"):
        parse_policy({"quarantine": {"most_hold_share": 1}})
    assert isinstance(parse_policy({}), Policy)


def test_every_column_expectation_has_a_query_for_its_rows() -> None:
    """An expectation type without a known query says what to do instead."""
    check = replace(CHECK, type="expect_column_values_to_be_unique", kwargs={"column": "ticket_id"})
    with pytest.raises(ValueError, match="unexpected_rows_expectation"):
        failing_rows_query(check, "select 1")
