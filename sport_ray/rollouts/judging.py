"""Scenarios that have ended, judged many at a time."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from sport_ray.properties import NEVER, parse_property
from sport_ray.rollouts.outcomes import Outcomes, pack_verdicts
from sport_ray.rollouts.slots import ScenarioEnvironment
from sport_ray.rollouts.tally import ScenarioAborted, Tally

Array = NDArray[np.float64]

TOGETHER = 256
"""Scenarios of like lengths that are judged at once: a verdict costs as much for one."""


@dataclass(frozen=True)
class Finished:
    """m scenarios at their ends: what their rows of the table are made of.

    trace: (m, T_max + 1, K), the property's signals in states 0 … length. cut: whether the
    environment went no further before the horizon. sums: (m, 5), log ratios, realised ones,
    projected steps, KL to base and task. largest, furthest: of a step's log ratio, and of the
    realised ones' sum so far.
    """

    index: NDArray[np.int64]
    length: NDArray[np.int64]
    trace: Array
    cut: NDArray[np.bool_]
    rewards: Array
    sums: Array
    largest: Array
    furthest: Array

    def rows(self, chosen: NDArray[np.int64]) -> Self:
        """Some of them."""
        return type(self)(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @classmethod
    def concatenate(cls, parts: list[Self]) -> Self:
        """One batch from several."""
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(one, n) for one in parts]) for n in names))


class Judge:
    """Takes scenarios as they end and makes rows of the outcome table.

    formula: the property, judged up to ``horizon`` steps (T_max). env_id: for messages.
    environment: says which signals are Booleans. most: scenarios that wait for their verdict at a
    time. Each verdict depends on its own trace alone.
    """

    def __init__(
        self,
        formula: str,
        horizon: int,
        env_id: str,
        environment: ScenarioEnvironment,
        most: int,
        tally: Tally,
    ) -> None:
        self._formula, self._horizon, self._env_id = formula, horizon, env_id
        self._environment = environment
        self._property = parse_property(formula)
        self._most = most
        self._tally = tally
        self._waiting: list[Finished] = []
        self._parts: list[Outcomes] = []

    def add(self, ended: Finished) -> None:
        """Take scenarios that ended.

        Raises:
            ScenarioAborted: one that was cut off while its verdict was open.
        """
        self._waiting.append(ended)
        self._tally.finished += len(ended.index)
        # Whether what was cut off has a verdict is told at once.
        if ended.cut.any() or sum(len(one.index) for one in self._waiting) >= self._most:
            self._judge_all()

    def outcomes(self) -> Outcomes:
        """The table of all that were taken, sorted by index."""
        self._judge_all()
        return Outcomes.concatenate(self._parts)

    def _judge_all(self) -> None:
        if not self._waiting:
            return
        ended = Finished.concatenate(self._waiting)
        self._waiting = []
        # Side by side those that are as long: all of a batch are judged to the longest's end.
        order = np.argsort(ended.length, kind="stable")
        for first in range(0, len(order), TOGETHER):
            self._parts.append(self._judged(ended.rows(order[first : first + TOGETHER])))

    def _judged(self, ended: Finished) -> Outcomes:
        states = ended.length + 1
        trace = ended.trace[:, : states.max()]
        # Of +0 and −0 either may be the larger one, which depends on the width: then all of it.
        if (trace == 0.0).any():
            trace = ended.trace
        signals = {name: trace[..., k] for k, name in enumerate(self._property.signal_names)}
        verdict = self._property.evaluate(signals, states)
        booleans = self._environment.boolean_signals
        self._tally.signals.see(self._formula, signals, states, booleans)
        # From a trajectory's last state on every verdict is that on the whole.
        by_step = np.empty((len(states), self._horizon + 1), dtype=bool)
        by_step[:] = verdict.by_step[:, -1:]
        by_step[:, : trace.shape[1]] = verdict.by_step
        settled = Settled(
            verdict.robustness, pack_verdicts(by_step), verdict.satisfied_at, verdict.violated_at
        )
        return rows_of(ended, settled, self._env_id, self._horizon, self._tally)


class Settled(NamedTuple):
    """Verdicts on m scenarios as the outcome table has them; as ``on_device.DeviceVerdict``."""

    robustness: Array
    verdicts: NDArray[np.uint8]
    satisfied_at: NDArray[np.int64]
    violated_at: NDArray[np.int64]


def rows_of(ended: Finished, settled: Settled, env_id: str, horizon: int, tally: Tally) -> Outcomes:
    """The rows of scenarios that have been judged.

    Raises:
        ScenarioAborted: one that was cut off while its verdict was open; the tally counts them.
    """
    undecided = ended.cut & (settled.satisfied_at == NEVER) & (settled.violated_at == NEVER)
    if undecided.any():
        tally.aborted += int(undecided.sum())
        row = int(undecided.argmax())
        raise ScenarioAborted(
            f"scenario {ended.index[row]} was cut off by {env_id} after {ended.length[row]} of "
            f"{horizon} steps with its verdict still open: lift the environment's own time limit, "
            "or choose a horizon within it"
        )
    return Outcomes(
        index=ended.index,
        length=ended.length,
        verdicts=settled.verdicts,
        satisfied_at=settled.satisfied_at,
        violated_at=settled.violated_at,
        robustness=settled.robustness,
        total_reward=ended.rewards,
        max_log_ratio=ended.largest,
        sum_log_ratio=ended.sums[:, 0],
        sum_realised_log_ratio=ended.sums[:, 1],
        max_prefix_log_ratio=ended.furthest,
        projected_steps=ended.sums[:, 2].astype(np.int64),
        sum_kl_to_base=ended.sums[:, 3],
        sum_task_distance=ended.sums[:, 4],
    )
