"""Signals are noted, and raised between two steps; what was set before comes back."""

from __future__ import annotations

import os
import signal

import pytest

from sport_ray.experiments.cluster.signals import (
    Terminated,
    ask_to_stop,
    held,
    raise_if_asked,
    stopping_between_steps,
    terminating,
    terminating_still,
)


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]
)
def test_a_signal_waits_for_the_next_step(number: int, kind: type[BaseException]) -> None:
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with stopping_between_steps():
        raise_if_asked()
        os.kill(os.getpid(), number)
        with pytest.raises(kind):
            raise_if_asked()
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            os.kill(os.getpid(), number)  # the second is not patient
            signal.pause()
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before
    assert "TUNE_DISABLE_SIGINT_HANDLER" not in os.environ


def test_the_first_reason_is_told_and_the_next_sweep_starts_without() -> None:
    with stopping_between_steps():
        ask_to_stop(OSError("first"))
        ask_to_stop(KeyboardInterrupt())
        with pytest.raises(OSError, match="first"):
            raise_if_asked()
    with stopping_between_steps():
        raise_if_asked()


def test_a_start_that_takes_sigterm_gives_it_back() -> None:
    """As `ray.init` does; before there is a handler of ours, what it sets stays."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        with terminating():
            ours = signal.getsignal(signal.SIGTERM)
            with terminating_still():
                signal.signal(signal.SIGTERM, lambda *_: None)
            assert signal.getsignal(signal.SIGTERM) is ours
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with terminating_still():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_the_exit_status_is_that_of_shells() -> None:
    assert Terminated().code == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]
)
def test_a_held_signal_acts_at_the_end_and_a_second_one_at_once(
    number: int, kind: type[BaseException]
) -> None:
    done: list[str] = []
    with terminating():
        before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
        with pytest.raises(kind), held():
            os.kill(os.getpid(), number)
            done.append("whole")
        with pytest.raises(kind), held():
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)
            done.append("not so far")
        with pytest.raises(kind), held():
            os.kill(os.getpid(), number)
            raise ImportError("what was held explains it")
        assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before
    assert done == ["whole"]


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as of a job in the background
    try:
        with held():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
