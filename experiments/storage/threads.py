"""Several requests at a time, in threads that no exit of the program waits for."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

_T = TypeVar("_T")


def in_threads(
    do: Callable[[_T], object],
    items: Sequence[_T],
    at_a_time: int,
    tell: Callable[[int, int], None] | None = None,
) -> None:
    """Do something with each item; after an error no further one is begun.

    tell: takes how many of how many are done, in this thread.

    Raises:
        Exception: the first that was raised.
    """
    waiting: queue.SimpleQueue[_T] = queue.SimpleQueue()
    ended: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
    stop = threading.Event()
    for item in items:
        waiting.put(item)

    def work() -> None:
        while not stop.is_set():
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                do(item)
            except Exception as error:
                stop.set()
                ended.put(error)
            else:
                ended.put(None)

    for _ in range(min(at_a_time, len(items))):
        threading.Thread(target=work, daemon=True).start()
    try:
        for number in range(1, len(items) + 1):
            if (error := ended.get()) is not None:
                raise error
            if tell is not None:
                tell(number, len(items))
    finally:
        stop.set()
