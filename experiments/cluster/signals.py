"""How a sweep is stopped: at Tune's next step, by Ctrl-C, SIGTERM, or a disk without room."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

TERMINATED = 143
"""What shells make of a process that SIGTERM ended: 128 + 15."""


class Terminated(SystemExit):
    """SIGTERM, as ``ray job stop``, batch systems and container hosts send it."""

    def __init__(self) -> None:
        super().__init__(TERMINATED)


_asked: list[BaseException] = []


def ask_to_stop(error: BaseException) -> None:
    """Have the next step raise this."""
    _asked.append(error)


def raise_if_asked() -> None:
    """Called before each of Tune's steps: raises what was asked for first."""
    if _asked:
        raise _asked[0]


@contextmanager
def terminating() -> Iterator[None]:
    """SIGTERM raises in the block, as Ctrl-C does, so that what is held is let go of."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: Any) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def terminating_still() -> Iterator[None]:
    """SIGTERM does after the block what it did before: Ray's start has it end the process.

    Its plain SystemExit would be taken for an environment's own, and be that one's fault.
    """
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if callable(before) and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


@contextmanager
def held() -> Iterator[None]:
    """Ctrl-C and SIGTERM act at the end of the block, a second one at once.

    For what must not be left half done. A core worker of Ray whose making was interrupted takes
    the process down with it when that ends: by a segmentation fault, or by waiting for ever (seen
    in Ray 2.60). A module in C that is interrupted while it is imported fails with an ImportError.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's business
        return
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    before = {one: handler for one, handler in before.items() if callable(handler)}
    asked: list[int] = []

    def put_back() -> None:
        for one, handler in before.items():
            signal.signal(one, handler)

    def note(number: int, frame: Any) -> None:
        if asked:
            put_back()
            signal.raise_signal(number)
        asked.append(number)

    for one in before:
        signal.signal(one, note)
    try:
        yield
    finally:
        put_back()
        if asked:
            signal.raise_signal(asked[0])


@contextmanager
def stopping_between_steps() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the sweep at Tune's next step, in tenths of a second.

    A second one ends it at once.

    Tune's own handler would let ``fit`` return as if all were done, and cells that were running
    would be taken for failed. An exception raised just anywhere can be lost in a callback.
    """
    _asked.clear()
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's business
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}

    def note(number: int, frame: Any) -> None:
        ask_to_stop(KeyboardInterrupt() if number == signal.SIGINT else Terminated())
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))

    disabled = os.environ.get("TUNE_DISABLE_SIGINT_HANDLER")
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"
    for number in numbers:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, before[number])
        if disabled is None:
            del os.environ["TUNE_DISABLE_SIGINT_HANDLER"]
        else:
            os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = disabled
