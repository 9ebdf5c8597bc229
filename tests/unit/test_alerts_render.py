"""A letter as blocks: within Slack's limits and harmless for any content."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.alerts import letters
from ops.alerts.facts import WITHHELD, span
from ops.alerts.incidents import Incident
from ops.alerts.markup import code, link, plain, prose
from ops.alerts.render import Envelope, render, render_plain
from tests.fakes.slack import refusal, texts, units

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
NASTY = [
    "<!channel>", "<@U0123ABC>", "<!subteam^S01>", "@channel", "`", "```", "&", "&amp;", "<", ">", "|", "*", "_", "~", "\n",
    "\u202e", "\0", "😀", "a" * 5000,
]  # fmt: skip
content = st.one_of(st.text(max_size=200), st.lists(st.sampled_from(NASTY), min_size=1, max_size=60).map("".join))
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | content,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(content, inner, max_size=4),
    max_leaves=8,
)
rows = st.lists(
    st.fixed_dictionaries({}, optional=dict.fromkeys(("source_system", "ticket_id", "field", "value", "evidence_url"), anything)),
    max_size=8,
)
details = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "affected": anything, "since": anything, "remedy": content, "runbook": content, "data_docs": content,
            "rows": rows | anything, "extra": st.dictionaries(content, anything, max_size=12) | anything,
        },
    ),
    st.dictionaries(content, anything, max_size=4),
)  # fmt: skip
LIVE = re.compile(r"<[!@#][^>]*>")


def incident(number: int = 12, **changes: Any) -> Incident:
    one = Incident(
        "gate:candidates:unmapped_share", "critical", "support-ops", "The share of unmapped tags is 41 %.", {}, NOON, NOON
    )
    return replace(one, incident_id=number, **changes)


@settings(max_examples=300)
@given(
    st.tuples(content, content, content),
    details,
    st.sampled_from([letters.NEW, letters.REMINDER, letters.OVER, letters.GROUP]),
    st.booleans(),
)
def test_any_content_keeps_slacks_limits_and_mentions_nobody(words: Any, given_details: Any, kind: str, quotes: bool) -> None:
    """Whatever stands in an incident, Slack accepts the message and nobody is pinged by it."""
    summary, owner, cause = words
    one = incident(summary=summary, owner=owner, fingerprint=cause, details=given_details)
    ended = replace(one, over_at=NOON + timedelta(minutes=3), told_as="open", incident_id=13)
    envelope = Envelope(NOON, flag_links={12: "http://127.0.0.1:8090/flag/12/1/n/s"}, with_quotes=quotes, may_repeat=quotes)
    for group in ([one], [ended], [one, ended]):
        payload = render(kind, group, envelope)
        assert refusal(payload) is None, refusal(payload)
        assert not [found for text in texts(payload) for found in LIVE.findall(text)]


@given(content)
def test_every_angle_bracket_in_a_message_is_one_of_our_links(text: str) -> None:
    """After escaping, the only raw angle brackets are those around http links that we made."""
    one = incident(
        summary=text, details={"remedy": text, "rows": [{"field": text, "value": text, "evidence_url": f"https://e/{text}"}]}
    )
    for part in texts(render(letters.NEW, [one], Envelope(NOON))):
        assert "<" not in re.sub(r"<https?://[^<>|\s]+\|[A-Za-z ?]+>", "", part)


@given(content, st.integers(3, 300))
def test_code_is_one_span_that_nothing_closes_early(text: str, limit: int) -> None:
    """A value in a code span holds exactly two backticks and stays below its limit."""
    span_text = code(text, limit)
    assert span_text.count("`") == 2
    assert span_text[0] == span_text[-1] == "`"
    assert units(span_text) <= max(limit, 3)


@given(content, st.integers(2, 300))
def test_cutting_never_splits_an_entity(text: str, limit: int) -> None:
    """A shortened text ends in a whole character: every ampersand begins one of the three entities."""
    for shown in (prose(text, limit), code(text, limit + 2)):
        assert re.sub(r"&(amp|lt|gt);", "", shown).count("&") == 0


def test_plain_prose_reads_as_it_was_written() -> None:
    """Names with underscores, numbers and punctuation pass unchanged, and escaping is undone by Slack."""
    text = "landing.ticket_signals has 3 conflicts at 10:15 & 2 < 5"
    assert unescape(prose(text, 200)) == text


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "file:///etc/passwd", "", "https://", "http://[", "x" * 10, "https://a/" + "b" * 2000]
)
def test_an_address_that_is_no_short_http_address_is_no_link(url: str) -> None:
    """Only http(s) addresses of bounded length become links."""
    assert link(url, "evidence") is None


def test_a_link_cannot_be_closed_from_inside() -> None:
    """Signs that would end a link or its address are percent-encoded."""
    assert link("https://e/a|b>c <!channel>", "evidence") == "<https://e/a%7Cb%3Ec%20%3C!channel%3E|evidence>"


def test_a_tickets_own_words_stay_out_unless_the_operator_wants_them() -> None:
    """Free text of a ticket is withheld by default and shown with CX_QUOTE_IN_ALERTS; contract words are always shown."""
    failing = [
        {"ticket_id": "1", "field": "evidence_quote", "value": "my card 4111 was declined", "evidence_url": "https://e/1"},
        {"ticket_id": "2", "field": "sentiment", "value": "angry", "evidence_url": "https://e/2"},
        {"ticket_id": "3", "field": "custom_metrics", "value": {"note": "call Ms Smith"}, "evidence_url": "https://e/3"},
    ]
    one = incident(details={"rows": failing, "extra": {"evidence_quote": "call Mr Smith"}})
    without, with_quotes = (
        "\n".join(texts(render(letters.NEW, [one], Envelope(NOON, with_quotes=wanted)))) for wanted in (False, True)
    )
    assert WITHHELD in without
    assert "angry" in without
    assert not {"4111", "Smith"} & set(re.findall(r"\w+", without))
    assert "4111" in with_quotes


def test_only_the_routes_mention_people_and_only_while_it_is_open() -> None:
    """Mentions come from the envelope; a message about something that is over calls nobody."""
    envelope = Envelope(NOON, mentions=["<!here>", "<@U0123ABC>"])
    assert any("<@U0123ABC>" in text for text in texts(render(letters.NEW, [incident()], envelope)))
    ended = incident(over_at=NOON + timedelta(minutes=3), told_as="open")
    assert not any("<@U0123ABC>" in text for text in texts(render(letters.OVER, [ended], envelope)))


def test_a_message_holds_what_its_reader_needs() -> None:
    """Sentence, severity in words, since, affected, owner, rows with evidence, remedy, Data Docs, runbook, flag link, id."""
    full = {
        "affected": 1234, "remedy": "Map the new tags.", "runbook": "unmapped-tags", "data_docs": "https://docs/run/1",
        "rows": [{"source_system": "zendesk", "ticket_id": "77", "field": "canonical_tag", "value": None, "evidence_url": "https://z/77"}],
    }  # fmt: skip
    envelope = Envelope(NOON, flag_links={12: "https://alerts/flag/12"}, runbook="https://git/README.md")
    payload = render(letters.NEW, [incident(details=full)], envelope)
    said = "\n".join([payload["blocks"][0]["text"]["text"], *texts(payload)])
    for part in ("Critical: new incident 12", "41 %", "2026-11-24 12:00 UTC", "1,234", "support-ops", "`zendesk/77`", "<https://z/77|evidence>",
                 "Map the new tags.", "<https://docs/run/1|Data Docs>", "<https://git/README.md#unmapped-tags|Runbook>",
                 "<https://alerts/flag/12|Not a problem?>", "cx alerts show 12"):  # fmt: skip
        assert part in said, part


def test_the_end_says_how_long_it_lasted() -> None:
    """The letter of an end carries the duration; one that was never told before says that too."""
    ended = incident(over_at=NOON + timedelta(hours=3, minutes=5))
    heads = [
        render(letters.OVER, [one], Envelope(NOON))["blocks"][0]["text"]["text"]
        for one in (replace(ended, told_as="open"), ended)
    ]
    assert heads == [
        "Over: incident 12 is over after 3 hours 5 minutes",
        "Over before this could be told: incident 12 is over after 3 hours 5 minutes (critical)",
    ]


def test_an_end_that_nobody_said_is_called_silence() -> None:
    """An incident that ended because it was not seen again does not claim to be solved."""
    ended = incident(over_at=NOON + timedelta(hours=24), told_as="open", over_by_silence=True)
    head = render(letters.OVER, [ended], Envelope(NOON))["blocks"][0]["text"]["text"]
    assert head == "Over: incident 12 was not seen again for 1 day"


def test_what_the_pipelines_own_writers_say_of_a_row_is_shown() -> None:
    """A dead letter's origin and a reconciliation's kind are no words of a ticket: they are shown without any setting."""
    failing = [
        {"ticket_id": "1", "field": "conflict", "value": "cx.enrichment.ticket_signals[3]@77", "evidence_url": None},
        {"ticket_id": "2", "field": "sentiment, driver", "value": "missing"},
        {"ticket_id": "3", "field": "custom_metrics.note", "value": "call Ms Smith"},
    ]
    said = "\n".join(texts(render(letters.NEW, [incident(details={"rows": failing})], Envelope(NOON))))
    assert "`cx.enrichment.ticket_signals[3]@77`" in said
    assert "`missing`" in said
    assert "Smith" not in said


def test_a_group_of_hundreds_is_one_message_within_the_limits() -> None:
    """However many incidents a group has, Slack accepts it; it names the first and counts the others."""
    payload = render(letters.GROUP, [incident(number, summary="<&>" * 900) for number in range(1, 400)], Envelope(NOON))
    assert refusal(payload) is None
    assert "and 384 more" in "\n".join(texts(payload))
    assert refusal(render_plain([incident()])) is None


def test_lengths_of_time_are_words() -> None:
    """Durations read as people say them."""
    assert [span(timedelta(seconds=seconds)) for seconds in (0, 1, 60, 3660, 90000, 172800)] == [
        "0 seconds", "1 second", "1 minute", "1 hour 1 minute", "1 day 1 hour", "2 days",
    ]  # fmt: skip


def test_plain_text_never_is_empty() -> None:
    """Slack refuses an empty text object, so nothing becomes a dash."""
    assert [plain("", 10), prose("\n", 10), code("\0", 10)] == ["-", "-", "`-`"]
