"""Quarantine through the real suites and the real dbt project: whole groups, and what only the candidates show."""

import pytest
from click.testing import CliRunner

from ops.cli.publish import publish
from tests.integration.publish.conftest import RealWarehouse

HELD = "select ticket_id, scope, suite, check_name from ops.held_tickets where released_at is null order by ticket_id"
PUBLISHED = "select array_agg(ticket_id order by ticket_id) from marts.fct_ticket_signals where {}"
NO_EVIDENCE = "see ticket "


def tickets(first: int, last: int) -> list[str]:
    return [f"T-{number}" for number in range(first, last + 1)]


def published(real: RealWarehouse, condition: str = "true") -> list[str]:
    [(found,)] = real.execute(PUBLISHED.format(condition))
    return found or []


def listed(real: RealWarehouse, monkeypatch: pytest.MonkeyPatch) -> str:
    """What `cx publish held` says."""
    monkeypatch.setenv("CX_WAREHOUSE_URL", real.url)
    result = CliRunner().invoke(publish, ["held"])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(
    ("scope", "bad"),
    [
        ("source_system", {"source_system": "intercom", "account_id": "A-1"}),
        ("account_id", {"source_system": "zendesk", "account_id": "A-2"}),
    ],
    ids=["source system", "account"],
)
def test_a_group_that_floods_bad_tickets_is_held_alone_and_returns(
    real: RealWarehouse, monkeypatch: pytest.MonkeyPatch, scope: str, bad: dict[str, str]
) -> None:
    """24 of 30 tickets of one source system (or account) have no evidence: all 30 are held, the other 60 are published.

    They stay held while others are published, come back one by one once fewer than 60 % of them fail, and all once none does.
    """
    real.land(101, 160)
    real.land(201, 224, **bad, evidence=NO_EVIDENCE)
    real.land(225, 230, **bad)
    first = real.publish()
    assert (first.result, first.gate_result) == ("published", "warning"), first.message
    assert published(real) == tickets(101, 160)
    assert real.execute(HELD) == [(ticket, scope, "landing", "evidence_url_is_a_link") for ticket in tickets(201, 230)]
    lines = listed(real, monkeypatch).splitlines()
    assert len(lines) == 30
    group = f"24 of 30 tickets of {scope} {bad[scope]} fail"
    assert sum(group in line for line in lines) == 6, lines
    assert sum("evidence_url = 'see ticket 2" in line for line in lines) == 24, lines

    real.land(161, 170)
    second = real.publish()
    assert second.result == "published", second.message
    assert published(real) == tickets(101, 170)

    real.land(201, 212, **bad, version=2)
    third = real.publish()
    assert third.result == "published", third.message
    assert published(real) == [*tickets(101, 170), *tickets(201, 212), *tickets(225, 230)]
    assert [row[:2] for row in real.execute(HELD)] == [(ticket, "ticket") for ticket in tickets(213, 224)]

    real.land(213, 224, **bad, version=2)
    last = real.publish()
    assert (last.result, last.gate_result) == ("published", "passed"), last.message
    assert published(real) == [*tickets(101, 170), *tickets(201, 230)]
    assert listed(real, monkeypatch) == "Nothing is held.\n"
    states = "select state from ops.alert_outbox where fingerprint = 'gate:landing:evidence_url_is_a_link' order by alert_id"
    assert real.execute(states)[0] == ("firing",)
    assert real.execute(states)[-1] == ("ok",)


def test_what_only_the_candidates_show_is_held_and_built_again_without(
    real: RealWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ticket older than published keeps its published row while the rest goes on; a newer version returns it."""
    versions = "select ticket_id, version from marts.fct_ticket_signals where ticket_id in ('T-102', 'T-161') order by 1"
    real.land(101, 160, version=3)
    assert real.publish().result == "published"

    real.execute("delete from landing.ticket_signal_versions where ticket_id = 'T-102'")
    real.land(102, 102, version=2, driver="shipping")
    real.land(161, 161)
    second = real.publish()
    assert (second.result, second.gate_result) == ("published", "warning"), second.message
    assert real.execute(HELD) == [("T-102", "ticket", "candidates", "version_never_goes_back")]
    assert "zendesk T-102  candidates:version_never_goes_back  version = '2 after 3'  held since" in listed(real, monkeypatch)
    assert real.execute(versions) == [("T-102", 3), ("T-161", 1)]

    real.land(102, 102, version=4)
    third = real.publish()
    assert (third.result, third.gate_result) == ("published", "passed"), third.message
    assert real.execute(versions) == [("T-102", 4), ("T-161", 1)]
    assert listed(real, monkeypatch) == "Nothing is held.\n"
