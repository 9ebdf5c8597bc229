"""The rules of the CRM upsert: which ticket speaks for an account, and what an answer means for each record."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.outbound.crm import answers, configuration, flags
from connectors.outbound.crm.answers import Kind, judge, pause
from connectors.outbound.crm.flags import Heard, newest
from tests.fakes import crm

heard = st.builds(
    Heard,
    st.just("zendesk"),
    st.sampled_from("abc"),
    st.integers(1, 30).map("{:04d}".format),
    st.sampled_from(["acme", None]),
    st.sampled_from(flags.RISKS),
)


@given(
    st.lists(heard, unique_by=lambda one: (one.ticket_id, one.sequence)).flatmap(
        lambda es: st.tuples(st.just(es), st.permutations(es))
    )
)
def test_any_order_and_repetition_of_records_gives_the_same_state(drawn: tuple[list[Heard], list[Heard]]) -> None:
    """The newest record of each ticket is a function of the set of records."""
    events, shuffled = drawn

    assert set(newest(events)) == set(newest([*shuffled, *shuffled[:3]]))


@given(st.lists(heard, max_size=8))
def test_the_flags_tell_of_the_worst_ticket(tickets: list[Heard]) -> None:
    """No ticket of the account has a higher risk than its flag; without tickets all flags are empty."""
    told = flags.flags(tickets)

    if not tickets:
        assert told == flags.CLEARED
    else:
        assert flags.RISKS.index(told["churn_risk"]) == max(flags.RISKS.index(one.churn_risk or "") for one in tickets)


@pytest.mark.parametrize(
    ("status", "body", "records", "kinds"),
    [
        (200, [{"id": "1", "success": True, "errors": [], "created": False}], 1, [Kind.APPLIED]),
        (
            200,
            [
                {"success": True, "errors": []},
                {"success": False, "errors": [{"statusCode": "UNABLE_TO_LOCK_ROW", "message": "", "fields": []}]},
                {"success": False, "errors": [{"statusCode": "STRING_TOO_LONG", "message": "", "fields": ["a"]}]},
            ],
            3,
            [Kind.APPLIED, Kind.ALONE, Kind.REFUSED],
        ),
        (204, None, 1, [Kind.APPLIED]),
        (201, {"id": "1", "success": True}, 1, [Kind.APPLIED]),
        (200, "a proxy's page", 2, [Kind.IN_DOUBT] * 2),
        (200, [{"success": True}], 2, [Kind.IN_DOUBT] * 2),
        (400, [{"errorCode": "JSON_PARSER_ERROR"}], 2, [Kind.ALONE] * 2),
        (400, [{"errorCode": "INVALID_FIELD"}], 1, [Kind.REFUSED]),
        (400, [{"errorCode": "UNABLE_TO_LOCK_ROW"}], 1, [Kind.ALONE]),
        (300, ["/a", "/b"], 1, [Kind.REFUSED]),
        (401, [{"errorCode": "INVALID_SESSION_ID"}], 2, [Kind.RENEW] * 2),
        (*crm.LIMIT, 2, [Kind.LATER] * 2),
        (404, [{"errorCode": "NOT_FOUND"}], 1, [Kind.LATER]),
        (429, None, 1, [Kind.LATER]),
        (*crm.BUSY, 1, [Kind.IN_DOUBT]),
        (500, None, 1, [Kind.IN_DOUBT]),
    ],
)
def test_an_answer_means_one_thing_for_each_record(status: int, body: object, records: int, kinds: list[Kind]) -> None:
    """A record is applied only when the CRM says so of that record; what may have been applied is in doubt."""
    assert [one.kind for one in judge(status, body, records)] == kinds


def test_pauses_grow_and_follow_the_crm() -> None:
    """Retry-After is kept; limits wait for minutes, outages for seconds, and both wait longer each time, to a bound."""
    assert pause(429, None, "17", 1).seconds == 17
    assert [pause(*crm.LIMIT, None, n).seconds for n in (1, 2, 20)] == [60, 120, 3600]
    assert [pause(503, None, None, n).seconds for n in (1, 2, 20)] == [1, 2, 300]
    assert pause(200, [], None, 1) == answers.Pause()
    assert answers.unanswered(20).seconds == 300


DOCUMENT = {
    "url": "https://crm.example.com/", "api_version": "v62.0", "object": "Account", "external_id": "Ext__c",
    "fields": {"churn_risk": "Risk__c"}, "token": {"variable": "TOKEN"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fields": {"quote": "Q__c"}}, "'quote' is none of"),
        ({"fields": {}}, "name at least one"),
        ({"batch": 201}, "not between 1 and 200"),
        ({"url": "http://crm.example.com"}, "must begin with https://"),
        ({"token": {"variable": "NOTHING"}}, "NOTHING is not set"),
    ],
)
def test_a_wrong_crm_file_is_refused_in_a_sentence(change: dict[str, object], words: str) -> None:
    """What cannot work is said before anything is sent."""
    with pytest.raises(configuration.CrmFileError, match=words):
        configuration.parse({**DOCUMENT, **change}, {"TOKEN": "t"}.get)  # type: ignore[arg-type]


def test_the_example_is_a_crm_file() -> None:
    """The file to copy can be read once its variables are set, and maps every flag."""
    example = configuration.Path(configuration.__file__).with_name("example.yml")
    read = configuration.read(str(example), lambda name: f"value of {name}")

    assert (set(read.fields), read.batch, read.token.client_secret) == (set(flags.FLAGS), 200, "value of CX_CRM_CLIENT_SECRET")
