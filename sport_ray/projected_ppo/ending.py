"""Training episodes that end once the property can never be satisfied any more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper
from numpy.typing import NDArray

from sport_ray.envs.faults import EnvironmentFault
from sport_ray.properties import parse_property
from sport_ray.properties.monitor import Monitor, Monitors

Fault = Callable[[str], EnvironmentFault]


def checked_formula(formula: str | None) -> str | None:
    """The formula in canonical form; None stays None.

    Raises:
        UserError: a formula that cannot be read.
    """
    if formula is None:
        return None
    parsed = parse_property(formula)
    parsed.compile()
    return parsed.formula


def checked_judged(judged: tuple[str, int] | None) -> tuple[str, int] | None:
    """The formula in canonical form and T ≥ 1, steps; None stays None.

    Raises:
        UserError: a formula that cannot be read.
    """
    if judged is None:
        return None
    formula = checked_formula(judged[0])
    assert formula is not None
    return formula, int(judged[1])


class EndsWhenViolated(gym.Wrapper[Any, Any, Any, Any]):
    """Terminates an episode with the step that makes its violation final.

    formula: the property's, over ``info["signals"]``. What ends an episode otherwise stays. A
    start that violates it already can only end with the first step. Where the environment reports
    no cost, ``info["cost"]`` is 1 once the property is violated for good.

    fault: makes the error for something that the environment did.

    Raises:
        EnvironmentFault: at reset and step, no signals, or one that is missing or NaN.
        UserError: at the first reset, a signal that the property needs and that there never is.
    """

    def __init__(self, env: gym.Env[Any, Any], formula: str, fault: Fault) -> None:
        super().__init__(env)
        self._formula, self._fault = formula, fault
        self._names: tuple[str, ...] = ()
        self._monitor: Monitor | None = None

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Start an episode."""
        observation, info = self.env.reset(**kwargs)
        signals = told_signals(info, self._fault)
        if self._monitor is None:
            self._names = tuple(sorted(signals))
            self._monitor = Monitor(self._formula, self._names, "the environment")
        self._monitor.begin(self._row(signals))
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """One step, perhaps the last."""
        assert self._monitor is not None, "reset comes first"
        observation, reward, terminated, truncated, info = self.env.step(action)
        violated = self._monitor.read(self._row(told_signals(info, self._fault)))
        if not isinstance(info.get("cost"), float):
            info = {**info, "cost": float(violated)}
        if violated:
            terminated, truncated = True, False
        return observation, reward, terminated, truncated, info

    def _row(self, signals: Mapping[str, Any]) -> list[float]:
        return signal_row(signals, self._names, self._fault)


class VectorEndsWhenViolated(VectorWrapper):
    """The same for a vector environment whose copies can be ended from outside.

    It has a method ``end(mask)``, mask (n,) bool: the copies whose next step only resets them.
    Signals are in gymnasium's vector format, a number or a Boolean for each copy.

    Raises:
        EnvironmentFault, UserError: as :class:`EndsWhenViolated`.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], formula: str, env_id: str) -> None:
        super().__init__(env)
        self._formula, self._env_id = formula, env_id
        self._names: tuple[str, ...] = ()
        self._monitors: Monitors | None = None
        self._over = np.zeros(env.num_envs, dtype=np.bool_)
        self._all = np.arange(env.num_envs)

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Start an episode in every copy, or in those of ``options["reset_mask"]``."""
        observation, infos = self.env.reset(**kwargs)
        signals = told_signals(infos, self._fault)
        if self._monitors is None:
            self._names = tuple(sorted(name for name in signals if not name.startswith("_")))
            self._monitors = Monitors(self._formula, self.num_envs, self._names, self._env_id)
        chosen = (kwargs.get("options") or {}).get("reset_mask")
        mask = np.ones(self.num_envs, dtype=np.bool_) if chosen is None else np.asarray(chosen)
        slots = self._all[mask]
        self._monitors.begin(slots, self._rows(signals, slots))
        self._over[slots] = False
        return observation, infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """One step of every copy, or a reset of those that ended with their last."""
        assert self._monitors is not None, "reset comes first"
        observation, reward, terminated, truncated, infos = self.env.step(actions)
        signals = told_signals(infos, self._fault)
        running, fresh = self._all[~self._over], self._all[self._over]
        if len(fresh):
            self._monitors.begin(fresh, self._rows(signals, fresh))
        violated = np.zeros(self.num_envs, dtype=np.bool_)
        violated[running] = self._monitors.read(running, self._rows(signals, running))
        if "cost" not in infos:
            infos = {**infos, "cost": violated.astype(np.float64)}
        end: Callable[[NDArray[np.bool_]], None] = self.env.unwrapped.end
        end(violated & ~(terminated | truncated))
        terminated, truncated = terminated | violated, truncated & ~violated
        self._over = terminated | truncated
        return observation, reward, terminated, truncated, infos

    def _rows(self, signals: Mapping[str, Any], slots: NDArray[np.intp]) -> NDArray[np.float64]:
        return signal_rows(signals, self._names, self.num_envs, slots, self._fault)

    def _fault(self, what: str) -> EnvironmentFault:
        return vector_fault(self._env_id)(what)


def vector_fault(env_id: str) -> Fault:
    """Makes the errors for what a vector environment did."""
    return lambda what: EnvironmentFault(f"vector environment {env_id!r}, in training: {what}")


def signal_row(signals: Mapping[str, Any], names: tuple[str, ...], fault: Fault) -> list[float]:
    """The values (K,) of the named signals, free of NaN.

    Raises:
        EnvironmentFault: one that is missing or NaN.
    """
    row = [signals.get(name, np.nan) for name in names]
    for name, value in zip(names, row, strict=True):
        if np.isnan(value):
            raise fault(f"signal {name!r} is {'NaN' if name in signals else 'missing'}")
    return row


def signal_rows(
    signals: Mapping[str, Any],
    names: tuple[str, ...],
    copies: int,
    slots: NDArray[np.intp],
    fault: Fault,
) -> NDArray[np.float64]:
    """The values (m, K) of the named signals in ``slots`` (m,), free of NaN.

    Raises:
        EnvironmentFault: a signal without a value for each of the copies, or one that is NaN.
    """
    rows = np.empty((len(slots), len(names)))
    for column, name in enumerate(names):
        values = np.asarray(signals.get(name, np.nan))
        if values.shape != (copies,):
            raise fault(f"signal {name!r} has no value for each copy")
        held = values[slots]
        rows[:, column] = np.where(held, 1.0, -1.0) if held.dtype == np.bool_ else held
    if np.isnan(rows).any():
        name = names[int(np.isnan(rows).any(axis=0).argmax())]
        raise fault(f"signal {name!r} is NaN")
    return rows


def told_signals(info: Mapping[str, Any], fault: Fault) -> Mapping[str, Any]:
    """What an environment says in ``info["signals"]``."""
    signals = info.get("signals")
    if not isinstance(signals, Mapping):
        raise fault(
            'it gives no info["signals"], by which training sees a violation: give it the signals '
            "of the property, or set train_on_after_violation: true"
        )
    return signals
