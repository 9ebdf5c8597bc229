"""Records that break the contract: F5 one of them in a batch, F13 every kind, F14 nothing but them."""

import json
from typing import Any

import pytest

from tests.conftest import wait_until
from tests.faults import topics
from tests.faults.line import GROUP, Line, another_worker
from tests.faults.topics import SIGNALS, Written
from tests.faults.traffic import signal

FROM_THE_STORE: dict[str, dict[str, Any]] = {
    "unknown_enum_value": {"sentiment": "furious"},
    "invalid_timestamp": {"occurred_at": "infinity"},
    "out_of_range": {"version": 0},
    "missing_value": {"evidence_url": None},
    "invalid_metrics": {"custom_metrics": [1, 2]},
    "record_too_large": {"custom_metrics": {"text": "x" * 10_000_000}},
}


@pytest.mark.ci
def test_one_poison_record_is_dead_lettered_and_its_neighbours_are_applied(line: Line) -> None:
    """F5: of a batch with a broken record in its middle, that one alone is set aside, with its origin and its bytes.

    Guard: decoding never raises. Seen when it did: the worker ended with its error at each of six starts, nothing landed and
    nothing was set aside.
    """
    line.stack.stop("worker")
    line.write(*(signal(f"before-{number}") for number in range(20)))
    line.wait_until_captured()
    poison = b'{"op": "c", "after": {"ticket_id": '
    first = line.offsets()
    inject(line, *(Written(SIGNALS, partition, b"{}", poison + str(partition).encode()) for partition in range(12)))
    line.foreign += ["broken_json"] * 12
    line.write(*(signal(f"after-{number}") for number in range(20)))
    line.wait_until_captured()
    line.stack.start("worker")
    line.assert_right()
    letters = line.warehouse(
        "select kafka_partition, kafka_offset, payload, remedy <> '' from landing.dead_letters "
        "where reason = 'broken_json' order by kafka_partition"
    )
    assert letters == [(p, first[SIGNALS, p][1], poison + str(p).encode(), True) for p in range(12)]


@pytest.mark.ci
def test_every_kind_of_broken_row_of_the_store_becomes_a_dead_letter_with_its_reason(line: Line) -> None:
    """F13: unknown value, infinite time, number out of range, missing value, metrics that are no object, 10 MB; others flow.

    Guard: the limits in stream/core/contract/rows.py. Seen without them: three of the rows landed (unknown value, version 0,
    10 MB), and the row without its value was left to the database to refuse.
    """
    for reason, changes in FROM_THE_STORE.items():
        line.write(signal(f"bad-{reason}", **changes), signal(f"good-{reason}"))
    line.assert_right()
    for reason in FROM_THE_STORE:
        assert line.dead_letters(f"bad-{reason}") == [reason]
        assert line.landed(f"bad-{reason}") is None


def test_every_kind_of_broken_record_of_the_topic_becomes_a_dead_letter_with_its_reason(line: Line) -> None:
    """F13: broken JSON, no envelope, no identity, a NUL byte, no position, wrong types: each set aside, none in the way.

    Guard: stream/core/decode.py and diagnose.py, a check per reason. Seen without the one for NUL: no letter with that reason,
    the text was taken for good and became a second claim (conflict).
    """
    line.write(signal("model"))
    line.assert_right()
    model = next(r for r in topics.read(line.stack.kafka_bootstrap, SIGNALS) if b'"model"' in (r.key or b""))
    broken = broken_records(json.loads(model.value or b""))
    inject(line, *(Written(SIGNALS, model.partition, model.key, value) for value in broken.values()))
    line.foreign += [name.rstrip("+") for name in broken]
    line.write(signal("model", 2))
    line.assert_right()
    found = line.warehouse("select payload, reason from landing.dead_letters")
    assert {(bytes(payload), reason) for payload, reason in found} >= {
        (value, name.rstrip("+")) for name, value in broken.items()
    }


def broken_records(envelope: dict[str, Any]) -> dict[str, bytes]:
    """Reason (a plus tells two of one reason apart) and record value, each one step away from a good envelope."""

    def changed(**columns: object) -> bytes:
        return json.dumps({**envelope, "after": {**envelope["after"], **columns}}).encode()

    no_position = {**envelope, "source": {**envelope["source"], "lsn": None, "sequence": None}}
    return {
        "broken_json": b'{"op": "c", ',
        "broken_json+": b"\xff\xfe\x00",
        "not_an_envelope": b"42",
        "not_an_envelope+": json.dumps({**envelope, "after": None}).encode(),
        "missing_identity": changed(ticket_id=""),
        "nul_byte": changed(evidence_quote="cut\0here"),
        "wrong_type": changed(version="2"),
        "unavailable_value": changed(evidence_quote="__cx_unavailable_value_5e1f0c"),
        "invalid_uuid": changed(event_id="not-a-uuid"),
        "missing_position": json.dumps(no_position).encode(),
        "unknown_operation": json.dumps({**envelope, "op": "z"}).encode(),
    }


@pytest.mark.ci
def test_a_flood_of_broken_records_stops_the_worker_instead_of_draining_the_topic(line: Line) -> None:
    """F14: 200 broken records raise one alert, the worker goes down, and they stay in the topic until they are let through.

    Guard: stream/core/breaker.py. Seen without: the worker stayed up, all 200 were dead letters, no alert of the breaker.
    """
    line.settle()
    line.stack.stop("worker")
    letters = line.warehouse("select count(*) from landing.dead_letters")
    inject(line, *(Written(SIGNALS, number % 12, b"{}", b"broken release %d" % number) for number in range(200)))
    line.release("worker")
    wait_until(lambda: line.stack.part("worker")["failures"] >= 2, 120, "the worker stopping, and stopping again")
    assert line.alerts("stream:breaker") == ["firing"]
    assert line.warehouse("select count(*) from landing.dead_letters") == letters
    committed = topics.committed(line.stack.kafka_bootstrap, GROUP)
    offsets = {place: span for place, span in line.offsets().items() if place[0] == SIGNALS}
    waiting = sum(end - max(first, committed.get(place, first)) for place, (first, end) in offsets.items())
    assert waiting == 200

    line.stack.stop("worker")
    with another_worker(line, "supervised", "--let-through"):  # in the place of the one that is held
        line.wait_until_consumed()
        line.write(*(signal(f"mended-{number}") for number in range(40)))
        line.foreign += ["broken_json"] * 200
        line.assert_right()
    assert line.alerts("stream:breaker") == ["firing", "ok"]
    line.stack.start("worker")


def inject(line: Line, *records: Written) -> None:
    """Write records to the topics as a producer that is not the connector."""
    topics.write(line.stack.kafka_bootstrap, records)
