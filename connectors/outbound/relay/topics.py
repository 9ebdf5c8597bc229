"""The producer of the outbound topics: a batch returns once the brokers have all of it, in the order it was given."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from connectors.outbound.relay.events import Outgoing

LARGEST_BYTES = 16_000_000


class NotSent(Exception):
    """Kafka does not take the records now; some may have been sent."""


class Topics:
    """Sends to Kafka with an idempotent producer: its own repeats are sorted out by the brokers."""

    def __init__(self, kafka: Mapping[str, Any]) -> None:
        """`kafka` are the options that every client of aiokafka takes: bootstrap_servers, and what protects the connection."""
        self._kafka = dict(kafka)
        self._producer: AIOKafkaProducer | None = None

    async def send(self, records: Iterable[Outgoing]) -> int:
        """Return how many were acknowledged: all of them. Raises NotSent."""
        try:
            producer = await self._started()
            sent = [await producer.send(one.topic, one.value, key=one.key, headers=one.headers) for one in records]
            await asyncio.gather(*sent)
        except (KafkaError, OSError) as error:
            # After a failed batch the next could overtake it: begin again with a producer of a new identity.
            await self.stop()
            raise NotSent(f"Kafka at {self._kafka['bootstrap_servers']}: {error!r}") from error
        return len(sent)

    async def stop(self) -> None:
        """Close the connection; a later send opens a new one."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaError, OSError):
                await producer.stop()

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                **self._kafka,
                acks="all",
                enable_idempotence=True,
                compression_type="lz4",
                max_request_size=LARGEST_BYTES,
                request_timeout_ms=20_000,
            )
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer
