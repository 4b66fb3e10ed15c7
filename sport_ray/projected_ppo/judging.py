"""Which training episodes violate the property within T steps, lateness included.

Scenarios are judged at their ends, training episodes here, by the same automaton: what violates for
good is a violation from that step on, and what has not come about after T steps, or when the
episode ends, is one then. Counted is ``info["cost"] > 0``, so that is what is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper
from numpy.typing import NDArray

from sport_ray.projected_ppo.ending import Fault, signal_row, signal_rows, vector_fault
from sport_ray.properties.monitor import Monitor, Monitors


class Judged(gym.Wrapper[Any, Any, Any, Any]):
    """Gives ``info["cost"]`` 1 once an episode violates the property within ``horizon`` steps.

    Only where the environment tells its signals; elsewhere nothing is known and nothing changes.

    formula: the property's, over ``info["signals"]``. fault: makes the error for something that the
    environment did.

    Raises:
        EnvironmentFault: at reset and step, a signal that is missing or NaN.
        UserError: at the first reset, a signal that the property needs and that there never is.
    """

    def __init__(self, env: gym.Env[Any, Any], formula: str, horizon: int, fault: Fault) -> None:
        super().__init__(env)
        self._formula, self._horizon, self._fault = formula, horizon, fault
        self._names: tuple[str, ...] = ()
        self._monitor: Monitor | None = None
        self._steps = 0
        self._violated = False

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Start an episode."""
        observation, info = self.env.reset(**kwargs)
        signals = info.get("signals")
        if isinstance(signals, Mapping):
            if self._monitor is None:
                self._names = tuple(sorted(signals))
                self._monitor = Monitor(self._formula, self._names, "the environment")
            self._monitor.begin(signal_row(signals, self._names, self._fault))
        self._steps, self._violated = 0, False
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """One step, whose cost is whether the episode is violated by now."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if self._monitor is None:
            return observation, reward, terminated, truncated, info
        self._steps += 1
        if self._steps <= self._horizon:
            row = signal_row(info.get("signals", {}), self._names, self._fault)
            lost = self._monitor.read(row)
            if terminated or truncated or self._steps == self._horizon:
                lost = not self._monitor.accepts
            self._violated = self._violated or lost
        return observation, reward, terminated, truncated, {**info, "cost": float(self._violated)}


class VectorJudged(VectorWrapper):
    """The same for a vector environment with NEXT_STEP resets, for each of its copies.

    Signals are in gymnasium's vector format, a number or a Boolean for each copy.

    Raises:
        EnvironmentFault, UserError: as :class:`Judged`.
    """

    def __init__(
        self, env: VectorEnv[Any, Any, Any], formula: str, horizon: int, env_id: str
    ) -> None:
        super().__init__(env)
        self._formula, self._horizon, self._env_id = formula, horizon, env_id
        self._names: tuple[str, ...] = ()
        self._verdicts: Verdicts | None = None
        self._over = np.zeros(env.num_envs, dtype=np.bool_)
        self._all = np.arange(env.num_envs)

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Start an episode in every copy, or in those of ``options["reset_mask"]``."""
        observation, infos = self.env.reset(**kwargs)
        signals = infos.get("signals")
        if isinstance(signals, Mapping):
            if self._verdicts is None:
                self._names = tuple(sorted(name for name in signals if not name.startswith("_")))
                self._verdicts = Verdicts(
                    self._formula, self._horizon, self.num_envs, self._names, self._env_id
                )
            chosen = (kwargs.get("options") or {}).get("reset_mask")
            slots = self._all if chosen is None else self._all[np.asarray(chosen, dtype=np.bool_)]
            self._verdicts.begin(slots, self._rows(infos, slots))
            self._over[slots] = False
        return observation, infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """One step of every copy; a copy's cost is whether its episode is violated by now."""
        observation, reward, terminated, truncated, infos = self.env.step(actions)
        if self._verdicts is None:
            return observation, reward, terminated, truncated, infos
        running, fresh = self._all[~self._over], self._all[self._over]
        if len(fresh):
            self._verdicts.begin(fresh, self._rows(infos, fresh))
        over = np.asarray(terminated | truncated)
        cost = np.zeros(self.num_envs)
        cost[running] = self._verdicts.read(running, self._rows(infos, running), over[running])
        self._over = over & ~self._over
        return observation, reward, terminated, truncated, {**infos, "cost": cost}

    def _rows(self, infos: Mapping[str, Any], slots: NDArray[np.intp]) -> NDArray[np.float64]:
        fault = vector_fault(self._env_id)
        return signal_rows(infos.get("signals", {}), self._names, self.num_envs, slots, fault)


class Verdicts:
    """Which of n episodes, side by side, are violated within T steps.

    given: names of the signals, in the order of their columns. who: the environment, for messages.

    Raises:
        UserError: a signal that the property needs and that is not given.
    """

    def __init__(
        self, formula: str, horizon: int, count: int, given: tuple[str, ...], who: str
    ) -> None:
        self._horizon = horizon
        self._monitors = Monitors(formula, count, given, who)
        self._steps = np.zeros(count, dtype=np.int64)
        self._violated = np.zeros(count, dtype=np.bool_)

    def begin(self, slots: NDArray[np.intp], signals: NDArray[np.float64]) -> None:
        """New episodes in ``slots`` (m,), with the signals (m, K) of their first states."""
        self._monitors.begin(slots, signals)
        self._steps[slots] = 0
        self._violated[slots] = False

    def read(
        self, slots: NDArray[np.intp], signals: NDArray[np.float64], over: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Whether each of ``slots`` (m,) is violated by now, (m,), with its next state.

        over: (m,), the episodes that end with it: what has not come about by then never will.
        """
        self._steps[slots] += 1
        within = self._steps[slots] <= self._horizon
        last = over | (self._steps[slots] >= self._horizon)
        lost = self._monitors.read(slots, signals)
        lost = np.where(last, ~self._monitors.accepts(slots), lost)
        self._violated[slots] |= lost & within
        found: NDArray[np.bool_] = self._violated[slots]
        return found
