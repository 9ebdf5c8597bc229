"""Webhooks: signatures, retries, circuits and addresses, as pure rules."""

import base64
import re
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from connectors.outbound.webhooks import circuit, retry, signing
from connectors.outbound.webhooks.addresses import refusal, unnamed
from connectors.outbound.webhooks.circuit import Circuit
from connectors.outbound.webhooks.retry import Answer, judge
from ops.settings import PROJECT_DIRECTORY

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(hours=24)
CHANCES = st.floats(0, 1)
KEYS = st.binary(min_size=24, max_size=64)


def test_the_published_vector() -> None:
    """The signature of the specification's own example comes out."""
    key = signing.decode_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    signed = signing.signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.lists(KEYS, min_size=1, max_size=3, unique=True), st.text(max_size=200))
def test_every_key_of_a_rotation_verifies(keys: list[bytes], text: str) -> None:
    """The library of the specification's authors accepts the headers with any of the keys."""
    now = int(datetime.now(UTC).timestamp())
    headers = signing.headers(keys, "msg_1", now, text.encode())

    for key in keys:
        Webhook(key).verify(text, headers, json_parse=False)


@given(KEYS)
def test_a_secret_is_read_as_it_is_written(key: bytes) -> None:
    """whsec_ and base64, and whitespace around it, give the key."""
    assert signing.decode_secret(f" whsec_{base64.b64encode(key).decode()}\n") == key


@pytest.mark.parametrize("text", ["", "abc", "whsec_", "whsec_!!!", "whsec_c2hvcnQ=", "whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
def test_a_bad_secret_is_refused_without_being_quoted(text: str) -> None:
    """What is no secret, or too short, is refused in words that do not contain it."""
    with pytest.raises(signing.BadSecret) as refused:
        signing.decode_secret(text)

    assert not text.removeprefix("whsec_") or text.removeprefix("whsec_") not in str(refused.value)


@given(st.integers(200, 299))
def test_any_2xx_is_done(status: int) -> None:
    """Whatever the number of tries and the age, a 2xx ends it."""
    assert judge(Answer(status), attempts=99, queued_at=NOW - 9 * DAY, give_up_after=DAY, chance=0.5, now=NOW).result == "done"


@given(
    st.integers(0, 599).filter(lambda s: not 200 <= s < 300 and s != 410), st.integers(1, 30), CHANCES, st.integers(0, 200_000)
)
def test_everything_else_is_tried_again_until_the_budget_is_used_up(status: int, tries: int, chance: float, age: int) -> None:
    """Younger than the budget: again, within the longest pause; older: dead."""
    verdict = judge(
        Answer(status), attempts=tries, queued_at=NOW - timedelta(seconds=age), give_up_after=DAY, chance=chance, now=NOW
    )

    assert verdict.result == ("again" if timedelta(seconds=age) < DAY else "dead")
    if verdict.not_before is not None:
        assert NOW <= verdict.not_before <= NOW + min(retry.LONGEST_PAUSE, 5 * timedelta(seconds=2 ** (tries - 1)))


@given(st.integers(1, 30))
def test_pauses_are_jittered_over_their_whole_length(tries: int) -> None:
    """Full jitter: from nothing to twice as long as the try before, at most an hour."""
    assert retry.pause(tries, 0.0) == timedelta(0)
    assert retry.pause(tries, 1.0) == min(retry.LONGEST_PAUSE, retry.FIRST_PAUSE * 2.0 ** (tries - 1))


def test_the_retries_reach_over_hours() -> None:
    """With average luck a message is tried at least 20 times in a day, the last ones half an hour apart."""
    pauses = [retry.pause(tries, 0.5) for tries in range(1, 21)]

    assert timedelta(hours=4) < sum(pauses, timedelta()) < DAY
    assert pauses[-1] == timedelta(minutes=30)


@given(st.integers(0, 10**6), CHANCES, st.sampled_from([429, 503]))
def test_retry_after_is_obeyed(seconds: int, chance: float, status: int) -> None:
    """Nothing is sent before the time that the subscriber asked for, up to a day."""
    asked = NOW + min(timedelta(seconds=seconds), retry.LONGEST_RETRY_AFTER)
    answer = Answer(status, retry_after=str(seconds))
    verdict = judge(answer, attempts=1, queued_at=NOW, give_up_after=DAY, chance=chance, now=NOW)

    assert verdict.not_before is not None and verdict.not_before >= asked
    assert verdict.rest_until == asked


def test_retry_after_as_a_date() -> None:
    """The other form of the header means the same."""
    assert retry.asked_pause("Tue, 24 Nov 2026 12:01:30 GMT", NOW) == timedelta(seconds=90)
    assert retry.asked_pause("soon", NOW) is None


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 400), CHANCES), max_size=60))
def test_a_circuit_never_sends_to_one_that_rests(steps: list[tuple[bool, int, float]]) -> None:
    """Whatever happens: open means no room, half open means one, and a delivery after a rest closes it."""
    one, now = Circuit(), NOW
    for delivered, seconds, chance in steps:
        now += timedelta(seconds=seconds)
        state, room = one.state(now), one.room(now, 8, 0)
        assert room == {circuit.OPEN: 0, circuit.HALF_OPEN: 1, circuit.CLOSED: 8}[state]
        if room:
            one = circuit.after_success(one, now) if delivered else circuit.after_failure(one, None, chance, now)
            assert not delivered or one.state(now) == circuit.CLOSED
        assert one.rest_until is None or one.rest_until - now <= circuit.LONGEST_REST


def test_a_circuit_opens_after_five_failures_in_a_row() -> None:
    """Four failures change nothing, a success between them starts anew."""
    one = Circuit()
    for _ in range(circuit.OPENS_AFTER - 1):
        one = circuit.after_failure(one, None, 1.0, NOW)
    assert one.state(NOW) == circuit.CLOSED
    assert circuit.after_failure(one, None, 1.0, NOW).state(NOW) == circuit.OPEN
    assert circuit.after_success(one, NOW) == Circuit()


@given(st.ip_addresses(), st.booleans())
@example("::ffff:0:0", True)  # an IPv4 address in IPv6's clothes, named as such
def test_only_public_addresses_may_be_called(address: object, named: bool) -> None:
    """An address that Python calls private, local or multicast is refused unless its network is named."""
    one = ip_address(str(address))
    is_inner = one.is_private or one.is_loopback or one.is_link_local or one.is_multicast or one.is_unspecified
    reason = refusal(str(one), [ip_network(str(one))] if named else [])

    assert not (named and reason)
    assert not is_inner or named or reason


@pytest.mark.parametrize("text", [
    "127.0.0.1", "127.8.8.8", "0.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200",
    "168.63.129.16", "192.0.0.192", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00:ec2::254", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
])  # fmt: skip
def test_inner_addresses_in_every_spelling_are_refused(text: str) -> None:
    """Loopback, private, link-local, metadata and multicast addresses, also inside IPv6."""
    assert refusal(text, [])


@pytest.mark.parametrize("text", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"])
def test_public_addresses_are_not_refused(text: str) -> None:
    """The public internet may be called, encrypted only."""
    assert refusal(text, []) == ""
    assert unnamed(text, [ip_network("10.0.0.0/8")])


def test_the_readmes_ten_lines_verify() -> None:
    """The function that subscribers are told to copy accepts what is signed here, and nothing that was changed."""
    [code] = re.findall(r"```python\n(.*?)```", (PROJECT_DIRECTORY / "README.md").read_text(), re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(code, namespace)  # noqa: S102 - our own documentation
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 1}'
    keys = [b"k" * 32, signing.decode_secret(secret)]
    headers = signing.headers(keys, "msg_1", int(datetime.now(UTC).timestamp()), body)

    assert namespace["verified"](secret, headers, body)
    assert not namespace["verified"](secret, headers, body + b" ")
    assert not namespace["verified"](secret, {**headers, "webhook-timestamp": "1614265330"}, body)
