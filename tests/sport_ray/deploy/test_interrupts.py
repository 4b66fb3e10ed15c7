"""Calls cut short, wherever that happens: the log stays whole, and nothing acts unrecorded."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import sport_ray.deploy
from sport_ray.deploy import BeyondPromise, DeployedPolicy, audit_log, load, read_bundle
from sport_ray.deploy.audit_log import read_line

FILES = {
    "policy.py",
    "guard.py",
    "one_call_at_a_time.py",
    "audit_log.py",
    "step.py",
    "observations.py",
}
FOLDER = os.path.dirname(sport_ray.deploy.__file__)


def interrupted(call: Callable[[], Any], at: int) -> bool:
    """Run with a KeyboardInterrupt before line number ``at``; whether it got there."""
    left = [at]

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        where, name = os.path.split(frame.f_code.co_filename)
        if where != FOLDER or name not in FILES:
            return None
        if event == "line":
            left[0] -= 1
            if left[0] < 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def whole(log: Path) -> list[dict[str, Any]]:
    """The lines of a log, which ends with the last of them."""
    data = log.read_bytes()
    assert data.endswith(b"\n")
    return [read_line(line)[0] for line in data.splitlines()]


def failed(log: Path, bundle: Path) -> list[str]:
    return [check.name for check in audit_log(log, read_bundle(bundle)) if check.passed is False]


@contextlib.contextmanager
def full_disk(log: Path, room: int) -> Iterator[None]:
    """Room for so many bytes; then as a full disk."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("on_breach", ["raise", "base"])
def test_an_interrupt_before_any_line_of_act(
    on_breach: Any, bundle: Path, observations: np.ndarray, tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    policy = load(bundle, log=log, on_breach=on_breach)
    at, breaches = 0, 0
    while True:
        policy.reset()
        policy.act(observations[0])
        hit = interrupted(lambda: policy.act(observations[1]), at)
        whole(log)
        if not hit:
            break
        if policy.guard.breach is None:  # before the call began, or after it was done
            policy.act(observations[2])
        elif on_breach == "raise":
            breaches += 1
            for _ in range(2):
                with pytest.raises(BeyondPromise, match="cut short"):
                    policy.act(observations[2])
        else:
            breaches += 1
            policy.act(observations[2])
            assert policy.last is not None
            assert policy.last.played == "base"
        at += 1
    assert breaches > 60
    policy.close()
    assert failed(log, bundle) == ["promise"]
    cut = [line for line in whole(log) if line.get("reason") == "a call was cut short"]
    assert len(cut) == breaches
    assert all(line["stream"] for line in cut)


@pytest.mark.parametrize("name", ["reset", "end", "close"])
def test_an_interrupt_before_any_line_of_the_other_calls(
    name: str, bundle: Path, observations: np.ndarray, tmp_path: Path
) -> None:
    at = 0
    while True:
        log = tmp_path / f"{at}.jsonl"
        policy = load(bundle, log=log)
        policy.reset()
        policy.act(observations[0])
        hit = interrupted(getattr(policy, name), at)
        whole(log)
        if name != "close" or not policy._closed:
            with contextlib.suppress(BeyondPromise):
                policy.act(observations[1])
            policy.reset()
            policy.act(observations[0])
        policy.close()
        assert failed(log, bundle) in ([], ["promise"])
        if not hit:
            break
        at += 1
    assert at > 10


def test_interrupts_of_the_system_at_any_time(
    bundle: Path, observations: np.ndarray, tmp_path: Path
) -> None:
    log, rng = tmp_path / "log.jsonl", np.random.default_rng(0)
    policy = load(bundle, log=log, on_breach="base")

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    hits = 0
    try:
        for delay in rng.uniform(2e-5, 2e-3, 300):
            try:
                signal.setitimer(signal.ITIMER_REAL, delay)
                policy.reset()
                for row in observations[:10]:
                    policy.act(row)
                policy.end()
                signal.setitimer(signal.ITIMER_REAL, 0.0)
            except KeyboardInterrupt:
                hits += 1
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0.0)
            whole(log)
            with contextlib.suppress(BeyondPromise):
                policy.act(observations[0])
    finally:
        signal.signal(signal.SIGALRM, before)
    assert hits > 50
    policy.close()
    assert failed(log, bundle) == ["promise"]


@pytest.mark.parametrize("room", [0, 1, 200, 400])
@pytest.mark.parametrize("on_breach", ["raise", "base"])
def test_a_full_disk_while_acting(
    on_breach: Any, room: int, bundle: Path, observations: np.ndarray, tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    policy = load(bundle, log=log, on_breach=on_breach)
    policy.reset(3)
    policy.act(observations[0])
    lines = whole(log)
    with full_disk(log, room):
        for _ in range(3):
            with pytest.raises(BeyondPromise, match="cannot be written") as error:
                policy.act(observations[1])
            assert "\n" not in str(error.value)
            found = whole(log)
            assert found[: len(lines)] == lines  # a breach is shorter than a step: it may fit
            assert {line["kind"] for line in found[len(lines) :]} <= {"breach"}
            assert policy.guard.breach is not None
            assert policy.guard.steps == 1
        with pytest.raises((BeyondPromise, OSError), match="cannot be written"):
            for _ in range(9):
                policy.reset(4)
        with pytest.raises(BeyondPromise):
            policy.act(observations[1])
    with contextlib.suppress(BeyondPromise):
        policy.act(observations[1])
    assert any(line["kind"] == "breach" for line in whole(log))
    policy.reset(5)
    for row in observations[:20]:
        policy.act(row)
    policy.close()
    assert failed(log, bundle) == ["promise"]


def test_a_full_disk_at_the_start_and_at_the_end(
    bundle: Path, observations: np.ndarray, tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    log.touch()
    with full_disk(log, 10):
        log.unlink()
        with pytest.raises(ValueError, match="cannot be written"):
            load(bundle, log=log)
        assert not log.exists()
    policy = load(bundle, log=log)
    policy.reset(0)
    policy.act(observations[0])
    with full_disk(log, 10):
        with pytest.raises(OSError, match="cannot be written"):
            policy.close()
        whole(log)
        with pytest.raises(BeyondPromise):
            policy.act(observations[0])
    assert policy.close() == policy.close()
    assert failed(log, bundle) == []
    with pytest.raises(BeyondPromise, match="was closed"):
        policy.reset()
    with pytest.raises(BeyondPromise, match="was closed"):
        policy.act(observations[0])


def test_what_an_observation_does_when_looked_at_cannot_act(
    bundle: Path, observations: np.ndarray, tmp_path: Path
) -> None:
    """As a signal handler: a call within a call."""
    log = tmp_path / "log.jsonl"
    policy = load(bundle, log=log)

    class Inside:
        def __init__(self, call: Callable[[], Any]) -> None:
            self.call = call

        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            with pytest.raises(BeyondPromise, match="within"):
                self.call()
            return observations[0]

    policy.reset(0)
    for call in (lambda: policy.act(observations[0]), policy.reset, policy.end, policy.close):
        policy.act(Inside(call))
    assert policy.guard.steps == 4
    assert policy.guard.breach is None
    policy.close()
    assert failed(log, bundle) == []


def in_child(call: Callable[[], Any]) -> str:
    """What a forked child says of a call."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            told = repr(call())
        except BaseException as error:
            told = f"{type(error).__name__}: {error}"
        os.write(write, told.encode())
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read, "rb") as file:
        return file.read().decode()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("on_breach", ["raise", "base"])
def test_a_forked_child_has_no_part_in_it(
    on_breach: Any, bundle: Path, observations: np.ndarray, tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    policy = load(bundle, log=log, on_breach=on_breach)
    policy.reset(1)
    policy.act(observations[0])
    before = log.read_bytes()
    calls: list[Callable[[], Any]] = [
        lambda: policy.act(observations[1]), policy.reset, policy.end, policy.close,
    ]  # fmt: skip
    for call in calls:
        assert in_child(call).startswith("BeyondPromise: the policy belongs to process")
    assert "belongs to process" in in_child(lambda: policy._log.write("step"))  # type: ignore[union-attr]
    assert in_child(lambda: acted_apart(bundle, observations)) == "1"
    assert log.read_bytes() == before
    policy.act(observations[1])
    policy.close()
    assert failed(log, bundle) == []


def acted_apart(bundle: Path, observations: np.ndarray) -> int:
    policy = load(bundle)
    policy.reset()
    policy.act(observations[0])
    return policy.guard.steps


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_does_not_wait_for_a_thread_that_it_does_not_have(
    bundle: Path, observations: np.ndarray
) -> None:
    policy = load(bundle)
    policy.reset(0)
    held, go = threading.Event(), threading.Event()

    def hold() -> None:
        with policy._turn.lock:
            held.set()
            go.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    told = in_child(lambda: policy.act(observations[0]))
    go.set()
    thread.join()
    assert "belongs to process" in told


def test_nothing_that_is_read_can_be_written(bundle: Path, observations: np.ndarray) -> None:
    policy = load(bundle)
    policy.reset(0)
    action = policy.act(observations[0])
    promise = policy.promise
    for wrong in (policy.promise, policy.bundle.manifest["promise"], policy.bundle.promise):
        wrong["bound"] = 1e-9
    manifest = policy.bundle.manifest
    manifest["constraint"]["alpha"] = 9.0
    assert policy.promise == promise
    assert policy.bundle.manifest["constraint"]["alpha"] != 9.0
    assert policy.last is not None
    assert policy.bundle.task is not None
    policy.last.drawn[:] = 9.0
    policy.last.chosen.mean[:] = 9.0
    assert (np.tanh(policy.last.drawn) == action).all()
    action[:] = 9.0
    assert (np.abs(policy.act(observations[0])) <= 1.0).all()
    parts: list[tuple[Any, str]] = [
        (policy, "promise"), (policy, "left"), (policy, "guard"), (policy, "bundle"),
        (policy, "last"), (policy.guard, "breach"), (policy.guard, "steps"),
        (policy.guard, "horizon"), (policy.bundle, "horizon"), (policy.bundle, "constraint"),
        (policy.bundle, "manifest"), (policy.bundle.constraint, "alpha"),
        (policy.bundle.constraint, "project"), (policy.bundle.constraint, "__class__"),
        (policy.bundle.base, "distribution"), (policy.bundle.base, "spec"),
        (policy.bundle.task, "_row"), (policy.bundle.task, "_network"),
        (policy.bundle.base.spec, "squash"),
    ]  # fmt: skip
    for owner, name in parts:
        with pytest.raises((AttributeError, TypeError, ValueError)):
            setattr(owner, name, 1e9)
        with pytest.raises((AttributeError, TypeError, ValueError)):
            delattr(owner, name)
    for array in (policy.bundle.bounds.low, policy.bundle.bounds.high):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0.0
    policy.end()
    with pytest.raises(AttributeError):
        policy.guard.breach = None  # type: ignore[misc]
    with pytest.raises(BeyondPromise):
        policy.act(observations[0])


def test_a_policy_that_was_never_started_leaves_no_breach(bundle: Path, tmp_path: Path) -> None:
    policy = load(bundle, log=tmp_path / "log.jsonl")
    assert policy.guard.breach is None
    assert not policy.guard.running
    assert isinstance(policy, DeployedPolicy)
    policy.close()
    assert failed(tmp_path / "log.jsonl", bundle) == []
