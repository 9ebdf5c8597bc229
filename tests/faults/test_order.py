"""Whatever the order and the repetition: F6 permuted and repeated records, F7 keys and versions claimed twice."""

import random

import pytest

from tests.faults import topics
from tests.faults.line import Line
from tests.faults.topics import Written
from tests.faults.traffic import Row, signal


@pytest.mark.ci
def test_permuted_and_repeated_records_end_in_the_same_state(line: Line) -> None:
    """F6: 40 tickets that grow, contradict, die and return; records in any order, some several times over.

    Guards: what is at or before a delete is over (lives, tickets and tangles each see to it), and claims are ordered by their
    source position. Seen without the three: 11 dead tickets and 156 dead versions were there; in order of arrival: 21 versions
    that should be conflicts stood in the place of others.
    """
    line.stack.stop("worker")
    for number in range(40):
        live_a_life(line, f"life-{number}", random.Random(number))
    line.wait_until_captured()
    records = topics.read(line.stack.kafka_bootstrap, topics.SIGNALS)
    topics.empty(line.stack.kafka_bootstrap, topics.SIGNALS)
    chance = random.Random(6)
    shuffled = [record for record in records for _ in range(chance.choice((1, 1, 1, 2, 3)))]
    chance.shuffle(shuffled)
    topics.write(line.stack.kafka_bootstrap, shuffled)
    line.stack.start("worker")
    line.assert_right()


def live_a_life(line: Line, ticket: str, chance: random.Random) -> None:
    """Two lives of a ticket, the second with lower versions, both with late, repeated and contradicting writes."""
    first: list[Row] = [signal(ticket, version) for version in (1, 2, 4, 3, 2)]
    contradiction = signal(ticket, chance.choice((1, 2, 4)), sentiment="positive")
    line.write(*first, contradiction)
    line.delete(ticket)
    second = [signal(ticket, version, idempotency_key=f"{ticket}/second/{version}") for version in (1, 3, 2)]
    line.write(*second, {**second[chance.randrange(3)], "idempotency_key": f"{ticket}/other"}, first[chance.randrange(4)])
    if chance.random() < 0.3:
        line.delete(ticket)


@pytest.mark.ci
def test_the_same_key_with_the_same_content_is_a_duplicate(line: Line) -> None:
    """F7: a worker that delivers twice changes nothing and alerts nobody.

    Guard: updated_at is left out of the content hash. Seen with it: the repetition became a conflict.
    """
    before = line.outcomes()
    line.write(signal("twice"), signal("twice"))
    line.assert_right()
    assert line.outcomes()["duplicate"] == before["duplicate"] + 1
    assert line.dead_letters("twice") == []


@pytest.mark.ci
@pytest.mark.parametrize("second", [{"sentiment": "positive"}, {"idempotency_key": "another key"}], ids=["content", "key"])
def test_a_second_claim_is_a_conflict_with_an_alert(line: Line, second: Row) -> None:
    """F7: the same key with other content, or another key for the same version: the first stands, the second is a dead letter.

    Guard: claims are ordered by source position. Seen with the order turned round: the second claim stood in latest and history.
    """
    [column] = second
    ticket, alerts = f"claimed-{column}", len(line.alerts("stream:conflict"))
    line.write(signal(ticket), signal(ticket, **second))
    line.assert_right()
    landed = line.landed(ticket)
    assert landed is not None and landed[column] == signal(ticket)[column]
    assert line.dead_letters(ticket) == ["conflict"]
    assert len(line.alerts("stream:conflict")) == alerts + 1


@pytest.mark.ci
def test_the_first_claim_stands_even_when_it_arrives_last(line: Line) -> None:
    """F7: the lower source position wins; the later claim, landed first, becomes the dead letter.

    Guard: the same. Seen: the later content stood, and the judge named the column.
    """
    line.renew()
    line.stack.stop("worker")
    line.write(signal("reversed"), signal("reversed", sentiment="positive"))
    line.wait_until_captured()
    records = topics.read(line.stack.kafka_bootstrap, topics.SIGNALS)
    topics.empty(line.stack.kafka_bootstrap, topics.SIGNALS)
    line.stack.start("worker")
    for record in reversed(records):
        topics.write(line.stack.kafka_bootstrap, [record])
        line.wait_until_consumed()
    line.assert_right()
    landed = line.landed("reversed")
    assert landed is not None and landed["sentiment"] == "negative"


@pytest.mark.ci
def test_a_key_that_two_tickets_use_belongs_to_the_first(line: Line) -> None:
    """F7: across tickets, and so across partitions, the second claim to a key is a conflict; a delete frees the key.

    Guard: keys are resolved over all tickets. Seen: the second ticket took the key and the first was gone.
    """
    line.write(signal("owner", idempotency_key="shared"))
    line.settle()
    line.write(signal("thief", idempotency_key="shared"))
    line.assert_right()
    assert line.landed("thief") is None
    assert line.dead_letters("thief") == ["conflict"]
    line.delete("owner")
    line.assert_right()
    assert line.landed("thief") is not None


def test_a_record_without_a_value_is_no_event(line: Line) -> None:
    """A tombstone of a compacted topic is accounted for and changes nothing.

    Guard: decode asks for a value first. Seen without: the worker ended with a TypeError at each of four starts.
    """
    line.write(signal("solid"))
    line.assert_right()
    [place] = {
        (r.partition, r.key) for r in topics.read(line.stack.kafka_bootstrap, topics.SIGNALS) if b'"solid"' in (r.key or b"")
    }
    topics.write(line.stack.kafka_bootstrap, [Written(topics.SIGNALS, *place, None)])
    line.assert_right()
