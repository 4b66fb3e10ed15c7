"""Promises without bundles, and the histories of made-up episodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from sport_ray.deploy.monitoring import History, Promise
from sport_ray.deploy.monitoring.history import Judged, Opened, Promised


@pytest.fixture
def promise() -> Promise:
    """Risk at most 0.1 an episode."""
    return Promise(
        bound=0.1, beta=1e-7, rests_on="certificate a", bundle="b" * 64,
        env_id="my/Robot-v0", property="(!hazard) U goal", statement="P(…) ≤ 0.1",
    )  # fmt: skip


@pytest.fixture
def history_of(promise: Promise) -> Callable[..., History]:
    """A history of verdicts; promises: from these episodes on, these bounds."""

    def make(
        verdicts: Iterable[bool | None], beta: float = 0.01, false_alarm: float = 1e-3,
        promises: dict[int, Promise] | None = None, name: str = "x",
    ) -> History:  # fmt: skip
        opened = Opened(
            name=name, beta=beta, false_alarm=false_alarm, env_id=promise.env_id,
            property=promise.property, time="2026-01-01",
        )  # fmt: skip
        of = {1: promise, **(promises or {})}
        found = History.begin(opened, Promised(episode=1, promise=of.pop(1), time="2026-01-01"))
        for number, violated in enumerate(verdicts, 1):
            if number in of:
                event = Promised(episode=number, promise=of[number], time="2026-01-02")
                found = found.with_promise(event)
            verdict = "unknown" if violated is None else "violated" if violated else "safe"
            found = found.with_begin().with_verdict(Judged(episode=number, verdict=verdict))
        return found

    return make


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a log goes."""
    return tmp_path / "monitor.jsonl"
