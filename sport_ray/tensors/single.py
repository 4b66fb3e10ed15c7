"""One slot of a tensor environment as a gymnasium environment: for whatever asks for one."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from sport_ray.tensors.registry import Factory
from sport_ray.tensors.vector import TensorVectorEnv


class TensorEnv(gymnasium.Env[NDArray[np.float64], NDArray[Any]]):
    """A tensor environment of one slot, reset by its caller.

    ``reset(seed=s)`` starts the episode of the seed s; a reset without a seed goes on with the
    seeds that follow from it. ``info`` holds ``signals`` and, if the environment has them, ``cost``
    and ``pose``, as numbers (a Boolean signal is a Boolean).
    """

    # gymnasium.Env declares it so: mypy refuses a ClassVar in its place.
    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(
        self,
        *,
        factory: Factory | str,
        horizon: int | None = None,
        render_mode: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._slots = TensorVectorEnv(
            1, factory=factory, horizon=horizon, render_mode=render_mode, **kwargs
        )
        self.observation_space = self._slots.single_observation_space
        self.action_space = self._slots.single_action_space
        self._started = False

    @property
    def signal_names(self) -> tuple[str, ...]:
        """The propositions, as the tensor environment names them."""
        return self._slots.environment.signal_names

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Start an episode."""
        super().reset(seed=seed)
        observation, infos = self._slots.reset(
            seed=None if seed is None else [seed], options=options
        )
        self._started = True
        return observation[0], self._alone(infos)

    def step(self, action: Any) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """One step; past an end it means nothing."""
        if not self._started:
            raise ResetNeeded("Cannot call env.step() before calling env.reset()")
        self._slots.go_on()
        observation, reward, terminated, truncated, infos = self._slots.step(
            np.asarray(action)[None]
        )
        return (
            observation[0],
            float(reward[0]),
            bool(terminated[0]),
            bool(truncated[0]),
            self._alone(infos),
        )

    def close(self) -> None:
        """Close the environment, if it can be closed."""
        self._slots.close()

    def _alone(self, infos: dict[str, Any]) -> dict[str, Any]:
        signals = {
            name: float(values[0])
            for name, values in infos["signals"].items()
            if not name.startswith("_")
        }
        if self._slots.booleans:
            signals = {name: value > 0.0 for name, value in signals.items()}
        found: dict[str, Any] = {"signals": signals}
        if "cost" in infos:
            found["cost"] = float(infos["cost"][0])
        if "pose" in infos:
            found["pose"] = infos["pose"][0]
        return found
