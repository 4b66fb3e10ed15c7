"""The environment as scenarios need it: slots that each hold one episode, stepped together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from sport_ray.envs.making import make_environment
from sport_ray.errors import UserError

Slots = NDArray[np.int64]
POINT_REACH_AVOID = "sport_ray/PointReachAvoid-v0"


class Transition(NamedTuple):
    """What a step of m slots gives: (m, O), (m, K), the rest (m,)."""

    observation: NDArray[np.float64]
    signals: NDArray[np.float64]
    reward: NDArray[np.float64]
    terminated: NDArray[np.bool_]  # the episode is over: there is nothing more to happen
    truncated: NDArray[np.bool_]  # the environment goes no further, although more could happen


class ScenarioEnvironment(Protocol):
    """A fixed number of slots; what happens in one never depends on the others."""

    signal_names: tuple[str, ...]
    action_space: gymnasium.spaces.Space[Any]

    def reset(
        self, slots: Slots, generators: Sequence[np.random.Generator]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Start an episode in each slot; observations (m, O) and signals (m, K)."""
        ...

    def step(self, slots: Slots, actions: NDArray[np.float64]) -> Transition:
        """One step with actions (m, A) as the policy's action mapping gives them."""
        ...

    def poses(self, slots: Slots) -> NDArray[np.float64] | None:
        """(x, y, heading) per slot where the environment has them, else None."""
        ...


class PointReachAvoidScenarios:
    """The point robot on its array simulator: hundreds of slots at the cost of a few."""

    def __init__(self, num_slots: int, kwargs: Mapping[str, Any]) -> None:
        from sport_ray.envs.point_reach_avoid import action_space
        from sport_ray.envs.simulator import PointReachAvoidSimulator

        try:
            self.simulator = PointReachAvoidSimulator(num_slots, **kwargs)
        except TypeError as error:  # an argument that it does not take
            reason = str(error).removeprefix("PointReachAvoidSimulator.__init__() ")
            raise UserError(
                f"environment {POINT_REACH_AVOID!r} cannot be made: {reason}"
            ) from error
        self.signal_names: tuple[str, ...] = self.simulator.signal_names
        self.action_space: gymnasium.spaces.Space[Any] = action_space()

    def reset(
        self, slots: Slots, generators: Sequence[np.random.Generator]
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


class GymnasiumScenarios:
    """Any gymnasium environment that puts its signals in ``info["signals"]``: one per slot.

    It must be reproducible from ``reset(seed=)``; observations and actions are one-dimensional
    boxes.

    Raises:
        UserError: an environment that cannot be made or does not keep to this.
    """

    def __init__(
        self, num_slots: int, env_id: str, kwargs: Mapping[str, Any], horizon: int
    ) -> None:
        self.env_id = env_id
        self.environments = [make_environment(env_id, kwargs, horizon) for _ in range(num_slots)]
        for name in ("observation_space", "action_space"):
            space = getattr(self.environments[0], name)
            if not isinstance(space, gymnasium.spaces.Box) or len(space.shape) != 1:
                raise UserError(
                    f"environment {env_id!r} has {name} {space}: expected a Box of one dimension"
                )
        self.action_space = self.environments[0].action_space
        _, info = self.environments[0].reset(seed=0)
        self.signal_names = tuple(sorted(self._signals(info)))

    def _signals(self, info: Mapping[str, Any]) -> Mapping[str, float]:
        if "signals" not in info:
            raise UserError(
                f'environment {self.env_id!r} gives no info["signals"]: it must name its '
                "propositions, each a number that is positive where it holds"
            )
        return info["signals"]

    def _row(self, info: Mapping[str, Any]) -> list[float]:
        signals = self._signals(info)
        row = [float(signals.get(name, np.nan)) for name in self.signal_names]
        for name, value in zip(self.signal_names, row, strict=True):
            if np.isnan(value):
                given = "NaN" if name in signals else "missing"
                raise UserError(
                    f"environment {self.env_id!r}: signal {name!r} is {given}; every state must "
                    "have a number for each signal"
                )
        return row

    def reset(
        self, slots: Slots, generators: Sequence[np.random.Generator]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Start episodes, each with a seed drawn from its slot's own generator."""
        observations, signals = [], []
        for slot, generator in zip(slots, generators, strict=True):
            seed = int(generator.integers(2**31))
            observation, info = self.environments[slot].reset(seed=seed)
            observations.append(np.asarray(observation, dtype=np.float64))
            signals.append(self._row(info))
        return np.stack(observations), np.asarray(signals)

    def step(self, slots: Slots, actions: NDArray[np.float64]) -> Transition:
        """One step of each environment."""
        observations, signals, rewards, ends = [], [], [], []
        for slot, action in zip(slots, actions, strict=True):
            environment = self.environments[slot]
            if action.shape != environment.action_space.shape:
                raise UserError(
                    f"environment {self.env_id!r} takes actions of shape "
                    f"{environment.action_space.shape}, the policy gives {action.shape}"
                )
            observation, reward, terminated, truncated, info = environment.step(
                action.astype(environment.action_space.dtype)
            )
            observations.append(np.asarray(observation, dtype=np.float64))
            signals.append(self._row(info))
            rewards.append(float(reward))
            ends.append((bool(terminated), bool(truncated)))
        terminated, truncated = np.asarray(ends, dtype=bool).T
        return Transition(
            np.stack(observations), np.asarray(signals), np.asarray(rewards), terminated, truncated
        )

    def poses(self, slots: Slots) -> None:
        """None: a general environment has no pose."""
        return None


def make_scenario_environment(
    env_id: str, env_kwargs: Mapping[str, Any], horizon: int, num_slots: int
) -> ScenarioEnvironment:
    """The slots for an environment id: the array simulator where there is one."""
    if env_id == POINT_REACH_AVOID:
        return PointReachAvoidScenarios(num_slots, {**env_kwargs, "horizon": horizon})
    return GymnasiumScenarios(num_slots, env_id, env_kwargs, horizon)
