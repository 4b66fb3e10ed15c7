"""SIGKILL at every call of the operating system: no verdict is lost, none is counted twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.monitor_soak import soak, write_bundles
from sport_ray.deploy.monitoring import Monitor, Promise, log, read_log

CALLS = ("pwrite", "fdatasync", "fsync", "open", "ftruncate", "close", "replace")
EPISODES = 6


def verdict(number: int) -> bool:
    """What the episode of that number comes to."""
    return number % 3 == 0


def live(path: Path, promise: Promise, say: int, kill_at: int) -> None:
    """One life, until EPISODES have a verdict; it ends at the call of that number, by SIGKILL.

    Odd numbers: before the call; even ones: after half of it (of a write) or all of it.
    """
    left = kill_at

    def deadly(real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                if kill_at % 2 == 0 and name == "pwrite":
                    real(arguments[0], arguments[1][: len(arguments[1]) // 2], arguments[2])
                elif kill_at % 2 == 0:
                    real(*arguments, **options)
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)

        return call

    for name in CALLS:
        where: Any = Path if name == "replace" else os
        setattr(where, name, deadly(getattr(where, name), name))
    with Monitor(path, promise) as monitor:
        while monitor.num_episodes < EPISODES:
            number = monitor.running or monitor.begin()
            os.write(say, f"begun {number}\n".encode())
            monitor.record(verdict(number), episode=number)
            os.write(say, f"done {number}\n".encode())


def heard(path: Path, promise: Promise, kill_at: int) -> tuple[list[str], bool]:
    """What a life said, and whether it was killed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            live(path, promise, writer, kill_at)
        finally:
            os._exit(1 if kill_at else 0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read().decode().splitlines()
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == (1 if kill_at else 0)
    return said, os.WIFSIGNALED(status)


@pytest.mark.parametrize(
    "most",
    [
        pytest.param(2, marks=pytest.mark.slow),
        pytest.param(3, marks=[pytest.mark.slow, pytest.mark.long]),
        1_000,
    ],
)
def test_killed_at_any_call(tmp_path, promise, monkeypatch, most):
    """At each call in turn, and again at each in the life after it; then to the end."""
    monkeypatch.setattr(log, "MOST_LINES", most)  # written anew often, or never
    kill_at, kills = 0, 0
    while True:
        kill_at += 1
        path = tmp_path / f"{kill_at}.jsonl"
        said, killed = heard(path, promise, kill_at)
        if not killed:
            break
        more, again = heard(path, promise, 1 + kill_at % 7)
        said, kills = said + more, kills + 1 + again
        if path.exists():
            there, told = read_log(path), [one for one in said if one.startswith("done")]
            assert there.num_episodes - len(told) in (0, 1, 2)  # of each life one without answer
        said += heard(path, promise, 0)[0]
        history = read_log(path)
        assert history.num_episodes == EPISODES
        assert history.violated == tuple(n for n in range(1, EPISODES + 1) if verdict(n))
        assert not history.unknown
        done = [one for one in said if one.startswith("done")]
        assert done == sorted(set(done))  # none was acknowledged and done again
        assert not list(tmp_path.glob(f".{path.name}.*.tmp"))
    assert kills > 40


@pytest.mark.slow
def test_a_bundle_and_its_monitor_killed_at_random(tmp_path):
    """A small version of benchmarks/monitor_soak.py."""
    torch.set_num_threads(1)
    found = soak(tmp_path, write_bundles(tmp_path), episodes=120, mean_life=8, seed=1)
    assert found["kills"] >= 5
    assert found["episodes"] == 120
    assert found["alarm"] is None
