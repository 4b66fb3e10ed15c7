"""The end of a sweep's log: a bar for what is behind, and Ctrl-C skips it."""

from __future__ import annotations

import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from sport_ray.experiments.stages.finish_log import FEW, STOP_SECONDS, finish_log
from sport_ray.tracking.mlflow.live import WHOLE


class Log:
    """As much of a `SweepLogger` as its end needs."""

    def __init__(self, behind: int, interrupted: bool = False) -> None:
        self.behind, self.interrupted = behind, interrupted
        self.pending: dict[str, str] = {}
        self.calls: list[tuple[Any, ...]] = []

    def finish(
        self,
        status: str,
        within: float | None = None,
        tell: Callable[[int], None] | None = None,
    ) -> None:
        self.calls.append((status, within, tell is not None))
        if self.interrupted:
            raise KeyboardInterrupt
        if tell is not None:
            for left in range(self.behind, -1, -1):
                tell(left)


def ended(log: Any, within: float | None = None) -> str:
    out = io.StringIO()
    context: Any = SimpleNamespace(console=Console(file=out, force_terminal=True, width=100))
    finish_log(context, log, "FINISHED", within)
    return out.getvalue()


def test_what_is_behind_has_a_bar() -> None:
    log = Log(behind=300)
    told = ended(log)
    assert "to MLflow" in told
    assert "300/300" in told
    assert log.calls == [("FINISHED", None, True)]


@pytest.mark.parametrize("behind", [0, FEW])
def test_little_behind_nothing_shown(behind: int) -> None:
    log = Log(behind)
    assert ended(log) == ""
    assert log.calls == [("FINISHED", None, False)]
    assert ended(None) == ""


def test_who_is_in_a_hurry_sees_no_bar() -> None:
    log = Log(behind=300)
    assert ended(log, STOP_SECONDS) == ""
    assert log.calls == [("FINISHED", STOP_SECONDS, False)]


def test_ctrl_c_skips_it_and_the_results_stay() -> None:
    log = Log(behind=300, interrupted=True)
    ended(log)
    assert log.pending == {WHOLE: "skipped by Ctrl-C"}
