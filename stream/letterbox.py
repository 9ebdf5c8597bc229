"""Dead letters from the warehouse to the topic, each marked once it is there."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any, Protocol

MOST_AT_ONCE = 500


class Letters(Protocol):
    """The warehouse's letters. Blocking."""

    def unpublished_letters(self, most: int) -> Sequence[Any]: ...

    def mark_published(self, ids: Collection[int]) -> None: ...


class Topic(Protocol):
    """The dead-letter topic."""

    async def send(self, letters: Sequence[Any]) -> None: ...


class Letterbox:
    """Publishes what is pending."""

    def __init__(self, letters: Letters, topic: Topic) -> None:
        self._letters, self._topic = letters, topic

    async def publish_pending(self) -> None:
        """Return once every letter is on the topic. Raises Unavailable."""
        while letters := await asyncio.to_thread(self._letters.unpublished_letters, MOST_AT_ONCE):
            await self._topic.send(letters)
            await asyncio.to_thread(self._letters.mark_published, [letter.dead_letter_id for letter in letters])
