"""Decoding: every record becomes a change, a deletion, a rejection with its reason, or nothing; it never raises."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.core.contract.rows import MAX_RECORD_BYTES
from stream.core.decode import decode
from stream.core.drift import Action, Kind, PolicyError, column_differences, parse_policy
from stream.core.envelope import SENTINEL
from stream.core.positions import as_sequence, reached, source_position
from stream.core.reasons import REMEDIES, Reason
from stream.core.records import Change, Decoded, Deletion, NoEffect, RawRecord, Rejection
from stream.core.tickets import signal_of
from stream.worker import read_policy
from tests.unit.stream.events import ACCOUNTS, SIGNALS, TAXONOMY, changed, deleted, envelope, record, signal

POLICY = read_policy()
REFERENCE = changed(signal(), 7)


def decoded(one: RawRecord) -> Decoded:
    return decode(one, POLICY)


def change(one: RawRecord) -> Change:
    result = decoded(one)
    assert isinstance(result, Change), result
    return result


def rejection(one: RawRecord) -> Rejection:
    result = decoded(one)
    assert isinstance(result, Rejection), result
    return result


@pytest.mark.parametrize("op", ["r", "c", "u"])
def test_reads_creates_and_updates_are_changes(op: str) -> None:
    """A snapshot read, a create and an update carry the row after the change, at the position of the sequence."""
    result = change(record(envelope(signal(), 42, op=op)))

    assert (result.table, result.identity, result.position) == ("ticket_signals", ("zendesk", "t1"), 42)
    assert (op == "r") == (result.committed_at is None)


def test_a_read_without_lsn_has_the_position_of_its_sequence() -> None:
    """Incremental-snapshot reads have no lsn; the second number of source.sequence stands in."""
    assert change(record(envelope(signal(), 42, op="r", lsn=None))).position == 42


def test_the_lsn_stands_in_for_a_missing_sequence() -> None:
    """Without the second number of source.sequence the lsn stands in; without the first, a record stands where it was read."""
    assert change(record(envelope(signal(), 42, sequence=None))).position == reached(42)
    assert change(record(envelope(signal(), 42, sequence='["9",null]'))).position == source_position('["9","42"]', None)


def test_a_change_stands_where_it_was_committed() -> None:
    """A delete written before a snapshot read and committed after it is later; so is the next change of one transaction."""
    read, late_delete, next_change = (source_position(one, None) for one in ('["100","150"]', '["200","120"]', '["200","121"]'))

    assert read is not None
    assert late_delete is not None
    assert next_change is not None
    assert read < late_delete < next_change


@given(st.integers(0, 2**63 - 1), st.integers(1, 2**63 - 1))
def test_a_position_is_the_position_of_its_sequence(committed: int, this: int) -> None:
    """What is written into a letter's record decodes to the position it had."""
    position = committed << 64 | this

    assert source_position(as_sequence(position), None) == position


def test_a_delete_names_the_ticket_and_the_position() -> None:
    """A delete is known by the row before it, or by its key."""
    result = decoded(deleted("t9", 50))
    by_key = decoded(record(envelope(None, 50, op="d"), key={"source_system": "zendesk", "ticket_id": "t9"}))

    assert isinstance(result, Deletion)
    assert isinstance(by_key, Deletion)
    assert (("zendesk", "t9"), 50) == (result.identity, result.position) == (by_key.identity, by_key.position)


@pytest.mark.parametrize(
    "one",
    [record(None), record(b"{}", topic="__debezium-heartbeat.cx"), record(envelope(None, 1, op="m"))],
    ids=["tombstone", "heartbeat", "message"],
)
def test_records_without_a_row_have_no_effect(one: RawRecord) -> None:
    """A tombstone, a heartbeat and a logical message are nothing to apply."""
    assert isinstance(decoded(one), NoEffect)


def test_the_other_tables_are_decoded_by_their_own_contract() -> None:
    """Mappings and accounts are changes identified by their primary key."""
    mapping = {"raw_tag": "refund", "canonical_tag": "billing", "driver": None, "owner": "ops", "updated_at": None}
    account = {"account_id": "acme", "name": "Acme", "plan": None, "segment": "smb", "owner": None, "updated_at": None}

    assert change(record(envelope(mapping, 3), topic=TAXONOMY)).identity == ("refund",)
    assert change(record(envelope(account, 3), topic=ACCOUNTS)).identity == ("acme",)


BROKEN: list[tuple[str, dict[str, Any], Reason]] = [
    ("an invented enum value", {"sentiment": "mixed"}, Reason.UNKNOWN_ENUM_VALUE),
    ("a version beyond bigint", {"version": 2**63}, Reason.OUT_OF_RANGE),
    ("version zero", {"version": 0}, Reason.OUT_OF_RANGE),
    ("a version as text", {"version": "1"}, Reason.WRONG_TYPE),
    ("a version as a truth value", {"version": True}, Reason.WRONG_TYPE),
    ("an infinite timestamp", {"occurred_at": "infinity"}, Reason.INVALID_TIMESTAMP),
    ("a year beyond 9999", {"occurred_at": "+10000-01-01T00:00:00Z"}, Reason.INVALID_TIMESTAMP),
    ("a timestamp without a zone", {"occurred_at": "2026-01-01T00:00:00"}, Reason.INVALID_TIMESTAMP),
    ("a broken uuid", {"event_id": "x"}, Reason.INVALID_UUID),
    ("a uuid with a line end", {"event_id": signal()["event_id"] + "\n"}, Reason.INVALID_UUID),
    ("a link that is none", {"evidence_url": "javascript:alert(1)"}, Reason.INVALID_URL),
    ("no link", {"evidence_url": None}, Reason.MISSING_VALUE),
    ("no key", {"idempotency_key": None}, Reason.MISSING_VALUE),
    ("an empty key", {"idempotency_key": ""}, Reason.MISSING_VALUE),
    ("no ticket", {"ticket_id": None}, Reason.MISSING_IDENTITY),
    ("an empty ticket", {"ticket_id": ""}, Reason.MISSING_IDENTITY),
    ("metrics that are a list", {"custom_metrics": "[1]"}, Reason.INVALID_METRICS),
    ("metrics that are broken", {"custom_metrics": "{"}, Reason.INVALID_METRICS),
    ("metrics with half a surrogate", {"custom_metrics": '{"a": "\\ud800"}'}, Reason.INVALID_METRICS),
    ("metrics too deep", {"custom_metrics": '{"a":' * 100_000}, Reason.INVALID_METRICS),
    ("a NUL in text", {"driver": "a\0b"}, Reason.NUL_BYTE),
    ("a NUL in a tag", {"raw_tags": ["a\0"]}, Reason.NUL_BYTE),
    ("a NUL in a metric", {"custom_metrics": '{"a": "\\u0000"}'}, Reason.NUL_BYTE),
    ("a score that is no number", {"sentiment_score": "NaN"}, Reason.OUT_OF_RANGE),
    ("an infinite score", {"sentiment_score": "-Infinity"}, Reason.OUT_OF_RANGE),
    ("an enormous score", {"sentiment_score": "1e400000"}, Reason.OUT_OF_RANGE),
    ("a score as words", {"sentiment_score": "good"}, Reason.WRONG_TYPE),
    ("a driver as number", {"driver": 5}, Reason.WRONG_TYPE),
    ("a null tag", {"raw_tags": [None]}, Reason.WRONG_TYPE),
    ("tags as text", {"raw_tags": "a,b"}, Reason.WRONG_TYPE),
    ("a tag too long for an index", {"raw_tags": ["x" * 257]}, Reason.TOO_LONG),
    ("a key too long for an index", {"idempotency_key": "x" * 257}, Reason.TOO_LONG),
]


@pytest.mark.parametrize(("changes", "reason"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_each_breach_has_its_reason(changes: dict[str, Any], reason: Reason) -> None:
    """A row that breaks the contract is rejected for its reason, naming the field, identity and position kept."""
    result = rejection(changed(signal(**changes), 8))

    assert reason == result.reason
    assert next(iter(changes)) in result.detail
    assert result.position == 8
    assert len(result.detail) < 200


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", Reason.BROKEN_JSON),
        (b"{", Reason.BROKEN_JSON),
        (b'{"op": "u\xff"}', Reason.BROKEN_JSON),
        (b"[" * 100_000, Reason.NOT_AN_ENVELOPE),
        (b'{"after": ' + b"[" * 100_000, Reason.BROKEN_JSON),
        (b"null", Reason.NOT_AN_ENVELOPE),
        (b"{}", Reason.NOT_AN_ENVELOPE),
        (b'{"op": "u", "source": 5}', Reason.NOT_AN_ENVELOPE),
        (json.dumps(envelope(None, 5)).encode(), Reason.NOT_AN_ENVELOPE),
        (json.dumps(envelope(signal(), 5, op="x")).encode(), Reason.UNKNOWN_OPERATION),
        (json.dumps(envelope(None, 5, op="t")).encode(), Reason.TRUNCATE),
        (json.dumps(envelope(signal(), 5, lsn=None, sequence=None)).encode(), Reason.MISSING_POSITION),
        (json.dumps(envelope(None, 5, op="d")).encode(), Reason.MISSING_IDENTITY),
        (b"x" * (MAX_RECORD_BYTES + 1), Reason.RECORD_TOO_LARGE),
    ],
)
def test_what_is_no_envelope_is_rejected(value: bytes, reason: Reason) -> None:
    """Broken JSON, strange envelopes, truncates and records that are too large have reasons of their own."""
    assert reason == rejection(record(value)).reason


def test_a_topic_without_a_contract_is_rejected() -> None:
    """A record of a table nobody described is not applied to anything."""
    assert rejection(record(b"{}", topic="cx.enrichment.surprise")).reason == Reason.UNKNOWN_TABLE


def test_a_rejection_knows_its_ticket_by_the_key() -> None:
    """When the value cannot be read, the record's key names the ticket, so that an erasure finds the letter."""
    key = {"source_system": "zendesk", "ticket_id": "t1"}

    assert rejection(record(b"{", key=key)).identity == ("zendesk", "t1")


@pytest.mark.parametrize(
    "field_and_value",
    [
        ("evidence_quote", SENTINEL),
        ("custom_metrics", SENTINEL),
        ("raw_tags", [SENTINEL]),
        ("custom_metrics", json.dumps({"deep": [{"er": SENTINEL}]})),
    ],
    ids=["text", "json", "array", "nested"],
)
def test_an_unavailable_value_is_taken_from_before_the_change(field_and_value: tuple[str, Any]) -> None:
    """The sentinel for an unchanged large value is never stored: the value before the change is; without one, rejected."""
    field, value = field_and_value
    before = signal()
    restored = change(changed(signal(version=2, **{field: value}), 9, before=before))
    plain = change(changed(signal(version=2), 9))

    assert plain.content_hash == restored.content_hash
    for useless in (None, {}, signal(**{field: value})):
        refused = rejection(changed(signal(version=2, **{field: value}), 9, before=useless))
        assert (refused.reason, field in refused.detail) == (Reason.UNAVAILABLE_VALUE, True)


def test_null_collections_are_empty() -> None:
    """No tags and no metrics are empty ones."""
    row = signal_of(change(changed(signal(raw_tags=None, custom_metrics=None), 9)))

    assert (row.raw_tags, row.custom_metrics) == ([], "{}")


SPELLINGS: list[dict[str, Any]] = [
    {"custom_metrics": '{"emoji":"\\u00e9","handle_time":12.5}'},
    {"sentiment_score": "-0.5"},
    {"updated_at": "2030-01-01T00:00:00Z"},
    {"occurred_at": "2026-11-01T10:00:00.123456+02:00"},
]


@pytest.mark.parametrize("changes", SPELLINGS, ids=[next(iter(spelling)) for spelling in SPELLINGS])
def test_the_content_hash_ignores_spelling_and_the_time_of_writing(changes: dict[str, Any]) -> None:
    """Key order, trailing zeros, the zone a time is written in and updated_at do not make another content."""
    assert change(REFERENCE).content_hash == change(changed(signal(**changes), 99)).content_hash


@pytest.mark.parametrize("field", [name for name in signal() if name != "updated_at"])
def test_the_content_hash_sees_every_other_field(field: str) -> None:
    """Each field of the canonical event but updated_at belongs to the content."""
    other: dict[str, Any] = {
        "event_id": "7b2e8a3e-0000-4000-8000-000000000002", "occurred_at": "2026-11-01T08:00:00.123457Z",
        "sentiment": "neutral", "sentiment_score": None, "churn_risk": "low", "effort": "high", "raw_tags": ["refund"],
        "custom_metrics": '{"handle_time": 12.51}', "evidence_url": "https://other.example.com", "version": 2,
    }  # fmt: skip

    assert change(REFERENCE).content_hash != change(changed(signal(**{field: other.get(field, "other")}), 7)).content_hash


def test_an_unknown_column_is_carried_into_the_metrics() -> None:
    """A column the contract does not know follows the policy: its value joins custom_metrics, numbers keep their spelling."""
    result = change(changed(signal(channel="chat"), 9))

    assert '"handle_time":12.50' in (signal_of(result).custom_metrics or "")
    assert json.loads(signal_of(result).custom_metrics or "")["channel"] == "chat"
    assert list(result.differences) == [("ticket_signals", Kind.UNKNOWN_COLUMN, "channel")]


def test_a_missing_column_never_becomes_null_silently() -> None:
    """A dropped column is quarantined by the delivered policy, though null would be allowed."""
    row = signal()
    del row["driver"]
    result = rejection(changed(row, 9))

    assert (result.reason, result.differences[0].column) == (Reason.MISSING_COLUMN, "driver")


@pytest.mark.parametrize(
    ("policy", "row", "expected"),
    [
        ({"unknown_column": "ignore"}, signal(channel="chat"), Change),
        ({"unknown_column": "quarantine"}, signal(channel="chat"), Rejection),
        ({"unknown_column": {"default": "stop", "ticket_signals.channel": "ignore"}}, signal(channel="chat"), Change),
        ({"missing_optional_column": "null"}, {k: v for k, v in signal().items() if k != "driver"}, Change),
    ],
)
def test_the_policy_decides(policy: dict[str, Any], row: dict[str, Any], expected: type) -> None:
    """What happens to a drifted row is what the file says, column by column."""
    delivered: dict[str, Any] = {kind.value: POLICY.actions[kind].value for kind in Kind}

    assert isinstance(decode(changed(row, 9), parse_policy({**delivered, **policy})), expected)


def test_stop_is_said_by_the_rejection() -> None:
    """Under `stop` the rejection asks for the worker to stop."""
    delivered: dict[str, Any] = {kind.value: POLICY.actions[kind].value for kind in Kind}
    result = decode(changed(signal(sentiment="mixed"), 9), parse_policy({**delivered, "new_enum_value": "stop"}))

    assert isinstance(result, Rejection)
    assert result.stops


@pytest.mark.parametrize("document", [{}, {"unknown_column": "explode"}, {"typo": "stop"}])
def test_a_policy_that_cannot_be_followed_is_refused(document: dict[str, Any]) -> None:
    """Missing kinds, unknown kinds and actions that a kind cannot have are errors that name the key."""
    delivered: dict[str, Any] = {kind.value: POLICY.actions[kind].value for kind in Kind} if document else {}
    with pytest.raises(PolicyError, match="drift policy: "):
        parse_policy({**delivered, **document})


def test_column_differences_are_none_for_the_contract_itself() -> None:
    """The contract's own columns are no drift."""
    assert column_differences("ticket_signals", signal()) == ()


def test_every_reason_has_a_remedy() -> None:
    """The closed list of reasons and the table of remedies name the same things."""
    assert set(Reason) == set(REMEDIES)
    assert Action.STOP in Action


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(SENTINEL),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
topics = st.sampled_from([SIGNALS, TAXONOMY, ACCOUNTS])


@given(st.binary(max_size=300), st.none() | st.binary(max_size=50), topics)
def test_no_bytes_make_decoding_raise(value: bytes, key: bytes | None, topic: str) -> None:
    """Whatever bytes arrive, they become something."""
    decode(RawRecord(topic, 0, 0, 0, key, value), POLICY)


@given(topics, st.dictionaries(st.sampled_from(["op", "before", "after", "source", "ts_ms"]), json_values))
def test_no_envelope_makes_decoding_raise(topic: str, value: dict[str, Any]) -> None:
    """Whatever JSON arrives where an envelope should be, it becomes something."""
    decode(record(value, topic=topic), POLICY)


@given(
    st.dictionaries(st.sampled_from([*signal(), "surprise"]), json_values, max_size=4),
    st.sets(st.sampled_from([*signal()]), max_size=2),
)
def test_no_row_makes_decoding_raise(changes: dict[str, Any], dropped: set[str]) -> None:
    """Whatever values stand in a row, it becomes a change that keeps the contract, or a rejection with a reason."""
    row = {name: value for name, value in {**signal(), **changes}.items() if name not in dropped}
    result = decode(record(envelope(row, 9)), POLICY)

    assert isinstance(result, Change | Rejection)


@given(st.binary(max_size=3), st.integers(0, 1000))
def test_no_damage_to_a_record_makes_decoding_raise(damage: bytes, at: int) -> None:
    """A good record with some bytes replaced becomes something."""
    good = REFERENCE.value or b""
    decode(REFERENCE._replace(value=good[: at % len(good)] + damage + good[at % len(good) + len(damage) :]), POLICY)


def nested(value: object) -> st.SearchStrategy[Any]:
    """JSON with this value somewhere inside, or nothing around it."""
    return st.recursive(
        st.just(value),
        lambda inner: (
            st.lists(inner, min_size=1, max_size=2) | st.dictionaries(st.text(max_size=3), inner, min_size=1, max_size=2)
        ),
    )


@given(nested(SENTINEL), st.sampled_from([*signal()]), st.booleans(), st.sampled_from(["none", "good", "useless"]))
def test_the_sentinel_never_gets_through(value: Any, field: str, as_text: bool, before: str) -> None:
    """Wherever in a row it stands, as a value or inside JSON text: no change ever carries it."""
    stood = {field: json.dumps(value) if as_text else value}
    old = {"none": None, "good": signal(), "useless": signal(**stood)}[before]
    result = decode(record(envelope({**signal(version=2), **stood}, 9, before=old)), POLICY)

    assert isinstance(result, Rejection) or SENTINEL not in repr(signal_of(result))  # type: ignore[arg-type]
