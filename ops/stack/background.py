"""Slow calls beside the supervisor's loop, in daemon threads: a chore that hangs never keeps a stopped stack alive."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def call(function: Callable[[], T]) -> Future[T]:
    """Begin the call in a thread of its own; the future has its result or its exception."""
    future: Future[T] = Future()
    threading.Thread(target=_fulfil, args=(future, function), daemon=True).start()
    return future


def _fulfil(future: Future[T], function: Callable[[], T]) -> None:
    try:
        future.set_result(function())
    except Exception as error:  # noqa: BLE001 - whatever a chore raises is its result, and the loop says it
        future.set_exception(error)
