"""The dead-letter topic: every letter of the warehouse appears on it once its batch is durable, at least once."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from stream.errors import Misconfigured, Unavailable
from stream.kafka import KafkaAccess, refusal

TOPIC = "cx.dead_letters"
LARGEST_BYTES = 16_000_000


class Letter(Protocol):
    """What is sent of a letter."""

    @property
    def reason(self) -> str: ...
    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def payload(self) -> bytes | None: ...


class DeadLetterTopic:
    """Sends letters and waits until the brokers have them."""

    def __init__(self, kafka: KafkaAccess) -> None:
        self._kafka = kafka
        self._producer: AIOKafkaProducer | None = None

    async def send(self, letters: Sequence[Letter]) -> None:
        """Return once every letter is acknowledged. Raises Unavailable or Misconfigured; then some may have been sent."""
        try:
            producer = await self._started()
            sent = [await _send(producer, letter, letter.payload) for letter in letters]
            for acknowledged in sent:
                await acknowledged
        except KafkaError as error:
            await self.stop()
            if refused := await refusal(self._kafka):
                raise Misconfigured(refused) from error
            raise Unavailable(f"The dead-letter topic cannot be written: {error!r}.") from error

    async def stop(self) -> None:
        """Close the connection; a later send opens a new one."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaError):
                await producer.stop()

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(**self._kafka.client, acks="all", max_request_size=LARGEST_BYTES)
            await producer.start()
            self._producer = producer
        return self._producer


async def _send(producer: AIOKafkaProducer, letter: Letter, payload: bytes | None):  # type: ignore[no-untyped-def]
    """Start sending one letter. A payload that no topic takes stays in the warehouse alone."""
    origin = f"{letter.topic}[{letter.partition}]@{letter.offset}"
    headers = [("reason", letter.reason.encode()), ("origin", origin.encode())]
    try:
        return await producer.send(TOPIC, payload or b"", key=letter.key, headers=headers)
    except MessageSizeTooLargeError:
        headers.append(("payload", b"only in landing.dead_letters"))
        return await producer.send(TOPIC, b"", key=letter.key, headers=headers)
