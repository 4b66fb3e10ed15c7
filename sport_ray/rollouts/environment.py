"""The environments that scenarios run in: the array simulator, gymnasium's, tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from sport_ray.envs.faults import telling_what_failed
from sport_ray.envs.flatten import Flattening
from sport_ray.envs.making import horizon_arguments, make_copies
from sport_ray.envs.stepping import Stepping
from sport_ray.rollouts.slots import ScenarioEnvironment, Slots, Transition
from sport_ray.tensors.episode_seeds import drawn_seed
from sport_ray.tensors.registry import is_tensor_environment

POINT_REACH_AVOID = "sport_ray/PointReachAvoid-v0"
_TRACES = 2**18
"""Steps of traces held before fewer scenarios run side by side."""


class PointReachAvoidScenarios:
    """The point robot on its array simulator: hundreds of slots at the cost of a few."""

    def __init__(self, num_slots: int, kwargs: Mapping[str, Any]) -> None:
        from sport_ray.envs.point_reach_avoid import action_space
        from sport_ray.envs.simulator import PointReachAvoidSimulator

        with telling_what_failed(POINT_REACH_AVOID):
            self.simulator = PointReachAvoidSimulator(num_slots, **kwargs)
        self.signal_names: tuple[str, ...] = self.simulator.signal_names
        self.action_space: gymnasium.spaces.Space[Any] = action_space()
        self.flattening: Flattening | None = None
        self.boolean_signals: frozenset[str] = frozenset()  # metres

    def reset(
        self,
        slots: Slots,
        generators: Sequence[np.random.Generator],
        scenarios: Sequence[int] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Start episodes, each layout drawn from its slot's own generator."""
        return self.simulator.reset(slots, generators)

    def step(self, slots: Slots, actions: NDArray[np.float64]) -> Transition:
        """One control step."""
        result = self.simulator.step(slots, actions)
        return Transition(*result)

    def poses(self, slots: Slots) -> NDArray[np.float64]:
        """(x, y, heading), (m, 3), metres and radians."""
        return self.simulator.poses(slots)

    def close(self) -> None:
        """Nothing to let go of."""


class GymnasiumScenarios:
    """Any gymnasium environment that puts its signals in ``info["signals"]``: one per slot.

    It must be reproducible from ``reset(seed=)``. Observations that are no vectors, and what it
    does otherwise than gymnasium asks, are :class:`Stepping`'s affair.

    Raises:
        UserError: an environment that cannot be made or does not keep to this.
    """

    def __init__(
        self, num_slots: int, env_id: str, kwargs: Mapping[str, Any], horizon: int
    ) -> None:
        arguments = {**kwargs, **horizon_arguments(env_id, horizon)}
        self.environments = make_copies(env_id, arguments, num_slots)
        self.action_space: gymnasium.spaces.Space[Any] = self.environments[0].action_space
        self.flattening = self.environments[0].flattening
        try:
            _, info = self.environments[0].reset(seed=0)
            self.signal_names = tuple(sorted(told_signals(self.environments[0], info)))
        except BaseException:
            self.close()
            raise

    @property
    def boolean_signals(self) -> frozenset[str]:
        """The signals that are given as Booleans; all copies keep one book of them."""
        return frozenset(name for name, is_one in self.environments[0].booleans.items() if is_one)

    def _row(self, environment: Stepping, info: Mapping[str, Any]) -> list[float]:
        signals = told_signals(environment, info)
        row = [signals.get(name, np.nan) for name in self.signal_names]
        for name, value in zip(self.signal_names, row, strict=True):
            if np.isnan(value):
                given = "NaN" if name in signals else "missing"
                raise environment.fault(
                    f"signal {name!r} is {given}; every state must have a number or a Boolean for "
                    "each signal"
                )
        return row

    def reset(
        self,
        slots: Slots,
        generators: Sequence[np.random.Generator],
        scenarios: Sequence[int] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Start episodes, each with a seed drawn from its slot's own generator."""
        observations, signals = [], []
        for row, (slot, generator) in enumerate(zip(slots, generators, strict=True)):
            environment = self.environments[slot]
            environment.place = None if scenarios is None else f"scenario {scenarios[row]}"
            observation, info = environment.reset(seed=drawn_seed(generator))
            observations.append(observation.astype(np.float64))
            signals.append(self._row(environment, info))
        return np.stack(observations), np.asarray(signals)

    def step(self, slots: Slots, actions: NDArray[np.float64]) -> Transition:
        """One step of each environment."""
        observations, signals, rewards, ends = [], [], [], []
        for slot, action in zip(slots, actions, strict=True):
            environment = self.environments[slot]
            observation, reward, terminated, truncated, info = environment.step(action)
            observations.append(observation.astype(np.float64))
            signals.append(self._row(environment, info))
            rewards.append(reward)
            ends.append((terminated, truncated))
        over, cut = np.asarray(ends, dtype=bool).T
        return Transition(
            np.stack(observations), np.asarray(signals), np.asarray(rewards), over, cut
        )

    def poses(self, slots: Slots) -> None:
        """None: a general environment has no pose."""
        return

    def close(self) -> None:
        """Close every copy."""
        for environment in self.environments:
            environment.close()


def told_signals(environment: Stepping, info: Mapping[str, Any]) -> Mapping[str, float]:
    """What an environment says in ``info["signals"]``.

    Raises:
        EnvironmentFault: nothing.
    """
    if "signals" not in info:
        raise environment.fault(
            'it gives no info["signals"], a Boolean or a number that is positive where it holds '
            "for each proposition: give it them, or wrap it in sport_ray.Labelled"
        )
    signals: Mapping[str, float] = info["signals"]
    return signals


def make_scenario_environment(
    env_id: str, env_kwargs: Mapping[str, Any], horizon: int, num_slots: int
) -> ScenarioEnvironment:
    """The slots for an environment id: the array simulator or tensors where there are such."""
    if env_id == POINT_REACH_AVOID:
        return PointReachAvoidScenarios(num_slots, {**env_kwargs, "horizon": horizon})
    if _in_tensors(env_id):
        from sport_ray.tensors.scenarios import TensorScenarios

        return TensorScenarios(num_slots, env_id, env_kwargs, horizon)
    return GymnasiumScenarios(num_slots, env_id, env_kwargs, horizon)


def usual_slots(env_id: str, horizon: int) -> int:
    """How many scenarios to run side by side: as many as gain by it, in bounded memory.

    A step of the array simulator, or of tensors, costs little more for a thousand slots than for
    one; of a gymnasium environment each slot is a copy. Traces of ``horizon`` steps are kept for
    each.
    """
    most = 1024 if steps_together(env_id) else 256
    return max(min(most, _TRACES // horizon), min(most, 256))


def steps_together(env_id: str) -> bool:
    """Whether one call steps all slots, so that hundreds cost little more than one."""
    return env_id == POINT_REACH_AVOID or _in_tensors(env_id)


def _in_tensors(env_id: str) -> bool:
    with telling_what_failed(env_id):
        return is_tensor_environment(env_id)
